/**
 * @file What a client checks before it takes part: its own policy, roster and place. The server
 * chooses everything in an announcement; nothing of it needs to make sense.
 */

import {
  Bitmap,
  createIdentityRoster,
  type SecAggAgreement,
  type SecAggClientConfig,
  type SecAggClientFaultCode,
  sumVector,
} from 'fedloom/protocols';
import type { Cohort, CohortOptions } from '../cohort.ts';
import type { Shape } from '../staged.ts';

export interface ParameterRefusal {
  /** What the client checks or demands. */
  readonly check: string;
  readonly shape: Shape;
  readonly options?: Partial<CohortOptions>;
  /** What the announcement says instead. */
  readonly change?: (agreement: SecAggAgreement, cohort: Cohort) => Partial<SecAggAgreement>;
  /** Whom client 0 is said to be. @default 0 */
  readonly client?: number;
  /** What the client has instead. */
  readonly config?: (config: SecAggClientConfig, cohort: Cohort) => Partial<SecAggClientConfig>;
  readonly code: SecAggClientFaultCode;
}

const invalid = (
  check: string,
  shape: Shape,
  change: ParameterRefusal['change'],
): ParameterRefusal => ({ check, shape, ...(change && { change }), code: 'invalid-parameters' });

export const SENSE_REFUSALS: readonly ParameterRefusal[] = [
  invalid('a session is identified by 16 bytes or more', 'complete', () => ({
    session: new Uint8Array(15),
  })),
  invalid('a session is identified by 64 bytes or less', 'complete', () => ({
    session: new Uint8Array(65),
  })),
  ...[-1, 2 ** 32, 0.5, Number.NaN].map((round) =>
    invalid(`a round is numbered with 32 bits (${round})`, 'complete', () => ({ round })),
  ),
  ...[0, -1, 1.5, 65_536, Number.NaN].map((clients) =>
    invalid(`a cohort has a number of clients (${clients})`, 'believed', () => ({
      clients,
      neighbours: clients - 1,
      // The modulus is no reason to refuse.
      vectors: [{ kind: 'modular-sum', id: 'a', length: 3, modulus: 2n ** 64n }],
    })),
  ),
  ...[0, -1, 9, 2.5, Number.NaN].map((neighbours) =>
    invalid(`one has neighbours, and not more than there are (${neighbours})`, 'ring', () => ({
      neighbours,
      threshold: 1,
    })),
  ),
  invalid('in a complete graph everyone is a neighbour', 'complete', () => ({
    neighbours: 3,
    threshold: 3,
  })),
  ...[0, -1, 6, 2.5, Number.NaN].map((threshold) =>
    invalid(`a threshold is one of the shares there are (${threshold})`, 'complete', () => ({
      threshold,
    })),
  ),
  ...[0, 31].map((length) =>
    invalid(`the active model names a roster (by ${length} bytes)`, 'complete', () => ({
      rosterHash: new Uint8Array(length),
    })),
  ),
  ...[[0, 1, 2, 3], []].map((places) =>
    invalid(`the cohort is as large as it is said (${places.length} of 5)`, 'complete', () => ({
      cohort: Bitmap.of(5, places),
    })),
  ),
  invalid('only the active model names a roster (hash)', 'believed', () => ({
    rosterHash: new Uint8Array(32),
  })),
  invalid('only the active model names a roster (cohort)', 'believed', () => ({
    cohort: new Bitmap(5),
  })),
  ...[0, 10, Number.NaN].map((inDegreeLimit) =>
    invalid(`some number of clients may choose one (${inDegreeLimit})`, 'chosen', () => ({
      inDegreeLimit,
    })),
  ),
  invalid('there is something to sum', 'complete', () => ({ vectors: [] })),
  invalid('vectors are told apart', 'complete', ({ vectors }) => ({
    vectors: [...vectors, ...vectors],
  })),
  ...[0n, 1n, -2n].map((modulus) =>
    invalid(`a modulus is 2 or more (${modulus})`, 'complete', () => ({
      vectors: [{ kind: 'modular-sum', id: 'a', length: 3, modulus }],
    })),
  ),
  ...[2, 4].map((length) =>
    invalid(`there is a bound for each element (${length} for 3)`, 'complete', () => ({
      vectors: [
        {
          kind: 'sum',
          id: 'a',
          length: 3,
          maximum: new Array<bigint>(length).fill(1n),
          modulus: 1024n,
        },
      ],
    })),
  ),
  invalid('a bound is 0 or more', 'complete', () => ({
    vectors: [{ kind: 'sum', id: 'a', length: 3, maximum: -1n, modulus: 1024n }],
  })),
  {
    check: 'the modulus is larger than every possible sum',
    shape: 'complete',
    change: () => ({
      vectors: [{ kind: 'sum', id: 'a', length: 3, maximum: 100n, modulus: 500n }],
    }),
    code: 'modulus-too-small',
  },
  {
    check: 'the modulus is larger than every possible sum of any element',
    shape: 'complete',
    change: () => ({
      vectors: [{ kind: 'sum', id: 'a', length: 2, maximum: [1n, 100n], modulus: 500n }],
    }),
    code: 'modulus-too-small',
  },
];

export const POLICY_REFUSALS: readonly ParameterRefusal[] = [
  {
    check: 'what is summed is what it is ready to sum, with its bounds',
    shape: 'complete',
    config: () => ({ vectors: [{ kind: 'sum', length: 3, maximum: 99n }] }),
    code: 'unexpected-vectors',
  },
  ...(['semi-honest', 'semi-malicious'] as const).map(
    (model): ParameterRefusal => ({
      check: `it takes part in this model (${model})`,
      shape: 'complete',
      change: () => ({ model, rosterHash: new Uint8Array(0), cohort: new Bitmap(0) }),
      code: 'model-refused',
    }),
  ),
  {
    check: 'unless told otherwise it takes part in the active model only',
    shape: 'believed',
    config: () => ({ policy: {} }),
    code: 'model-refused',
  },
  {
    check: 'the cohort is not below its minimum',
    shape: 'complete',
    config: ({ policy }) => ({ policy: { ...policy, minimumClients: 6 } }),
    code: 'cohort-too-small',
  },
  {
    check: 'unless told otherwise the cohort has 3 clients',
    shape: 'complete',
    options: { clients: 2 },
    config: () => ({ policy: {} }),
    code: 'cohort-too-small',
  },
  {
    check: 'a threshold above one half, in the active model (t <= n/2)',
    shape: 'complete',
    change: () => ({ threshold: 2 }),
    code: 'insecure-parameters',
  },
  {
    check: 'a threshold above two thirds, where as many as a third are corrupt (2t > n + c)',
    shape: 'complete',
    options: { clients: 9, corruptRate: 0.3 },
    change: () => ({ threshold: 5 }),
    code: 'insecure-parameters',
  },
  {
    check: 'corrupt clients are counted of the roster, since the server picks the cohort',
    shape: 'complete',
    options: { clients: 5 },
    // Of a hundred members five are corrupt: they may be the whole cohort.
    config: (_config, { roster }) => ({ roster: largerRoster(roster!.members) }),
    change: (_agreement, { roster }) => ({
      rosterHash: largerRoster(roster!.members).hash,
      cohort: Bitmap.of(100, [0, 1, 2, 3, 4]),
    }),
    code: 'insecure-parameters',
  },
  {
    check: 'a threshold of one shares nothing',
    shape: 'believed',
    change: () => ({ threshold: 1 }),
    code: 'insecure-parameters',
  },
  {
    check: 'enough neighbours for the security it asks for',
    shape: 'chosen',
    config: ({ policy }) => ({ policy: { ...policy, securityBits: 40, corruptRate: 0.4 } }),
    change: () => ({ neighbours: 4, threshold: 4 }),
    code: 'insecure-parameters',
  },
  {
    check: 'a graph that leaves as many honest clients in a sum as it asks for',
    shape: 'chosen',
    config: ({ policy }) => ({ policy: { ...policy, minimumClients: 9, securityBits: 40 } }),
    code: 'insecure-parameters',
  },
];

export const PLACE_REFUSALS: readonly ParameterRefusal[] = [
  {
    check: 'the roster is the one that it trusts',
    shape: 'complete',
    change: ({ rosterHash }) => ({ rosterHash: rosterHash.with(0, rosterHash[0]! ^ 1) }),
    code: 'unknown-roster',
  },
  {
    check: 'the cohort is picked from as many as the roster has',
    shape: 'complete',
    change: () => ({ cohort: Bitmap.of(6, [0, 1, 2, 3, 4]) }),
    code: 'unknown-roster',
  },
  {
    check: 'it has the number that it is given',
    shape: 'complete',
    client: 1,
    code: 'not-in-cohort',
  },
  {
    check: 'its number is one of the cohort',
    shape: 'complete',
    client: 5,
    code: 'not-in-cohort',
  },
  {
    check: 'its number is one of the cohort, also where nobody signs',
    shape: 'believed',
    client: 5,
    code: 'not-in-cohort',
  },
  {
    check: 'it is in the cohort',
    shape: 'complete',
    options: { clients: 6 },
    change: () => ({
      clients: 5,
      neighbours: 4,
      threshold: 4,
      cohort: Bitmap.of(6, [1, 2, 3, 4, 5]),
      vectors: [sumVector('a', 3, 100n, 5)],
    }),
    code: 'not-in-cohort',
  },
];

function largerRoster(
  members: readonly { readonly client: string; readonly publicKey: Uint8Array }[],
): ReturnType<typeof createIdentityRoster> {
  const more = Array.from({ length: 100 - members.length }, (_, i) => ({
    client: `other-${i}`,
    publicKey: new Uint8Array(32).fill(i + 1),
  }));
  return createIdentityRoster([...members, ...more]);
}
