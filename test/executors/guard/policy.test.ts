/** @file Reading a client's policy: what is left out, what has no meaning, and what a refusal says. */

import { describe, expect, test } from 'vitest';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { AuditLog } from '../../../executors/guard/audit.ts';
import {
  DEFAULT_GUARD_POLICY,
  guardedLeaf,
  guardPolicy,
  parseGuardPolicy,
} from '../../../executors/guard/index.ts';
import { ReleaseRules } from '../../../executors/guard/policy/release-rules.ts';
import type { ReleaseTerms } from '../../../executors/leaf/operator.ts';
import { memoryLedger } from '../../../protocols/index.ts';

describe('a policy', () => {
  test('of nothing is the default: secure sums of three or more, against a lying server', () => {
    expect(parseGuardPolicy('{}')).toEqual(DEFAULT_GUARD_POLICY);
    expect(DEFAULT_GUARD_POLICY).toMatchObject({
      protocols: { secAgg: {}, secAggPlus: {} },
      smallestCohort: 3,
    });
  });

  test('keeps what it says, and has defaults for the rest', () => {
    const text = `{
      "protocols": { "secAgg": { "models": ["active"], "leastThreshold": 0.7, "smallestCohort": 10 } },
      "data": { "readings": "float32[?,3]*" },
      "computations": ["${'ab'.repeat(32)}"],
      "roundsPerDay": 24,
      "plainCompute": false,
      "limits": { "calls": 7 }
    }`;
    const policy = parseGuardPolicy(text);
    expect(policy).toEqual({
      ...DEFAULT_GUARD_POLICY,
      ...JSON.parse(text),
      limits: { ...DEFAULT_GUARD_POLICY.limits, calls: 7 },
    });
    expect(guardPolicy(policy)).toEqual(policy);
    expect(guardPolicy({ limits: {} })).toEqual(DEFAULT_GUARD_POLICY);
  });

  test.each([
    ['', 'The policy is no JSON'],
    ['[]', '"the policy" of a policy is an object'],
    ['{ "smallestcohort": 3 }', 'no rule "smallestcohort"; there are protocols, smallestCohort'],
    ['{ "smallestCohort": 0 }', '"smallestCohort" of a policy is a whole number from 1'],
    ['{ "smallestCohort": "3" }', 'got "3"'],
    ['{ "smallestCohort": 2.5 }', 'got 2.5'],
    ['{ "securityBits": 0 }', '"securityBits"'],
    ['{ "corruptRate": 1 }', '"corruptRate"'],
    ['{ "largestBitWidth": 65 }', '"largestBitWidth"'],
    ['{ "largestVector": -1 }', '"largestVector"'],
    ['{ "roundsPerDay": 1e9 }', '"roundsPerDay"'],
    ['{ "roundsPerDay": null }', '"roundsPerDay"'],
    ['{ "plainCompute": "no" }', '"plainCompute" of a policy is true or false'],
    ['{ "protocols": ["secAgg"] }', '"protocols" of a policy is an object'],
    ['{ "protocols": { "secagg": {} } }', 'no rule "protocols.secagg"'],
    ['{ "protocols": { "secAgg": true } }', '"protocols.secAgg" of a policy is an object'],
    [
      '{ "protocols": { "masking": { "models": ["active"] } } }',
      'no rule "protocols.masking.models"',
    ],
    ['{ "protocols": { "secAgg": { "models": [] } } }', '"protocols.secAgg.models"'],
    ['{ "protocols": { "secAgg": { "models": ["honest"] } } }', 'got ["honest"]'],
    ['{ "protocols": { "secAgg": { "leastThreshold": 1 } } }', '"protocols.secAgg.leastThreshold"'],
    ['{ "protocols": { "secAgg": { "leastThreshold": -0.5 } } }', 'leastThreshold'],
    ['{ "protocols": { "secAgg": { "keyHolder": "server" } } }', 'protocols.secAgg.keyHolder'],
    ['{ "protocols": { "paillier": { "keyHolder": "client" } } }', 'got "client"'],
    ['{ "protocols": { "paillier": { "modulusBits": 1024 } } }', 'from 2048'],
    ['{ "computations": "all" }', "'any', or a list of content hashes"],
    ['{ "computations": ["abc"] }', 'got "abc"'],
    ['{ "data": ["readings"] }', '"data" of a policy is an object'],
    ['{ "data": { "readings": "float33" } }', '"data.readings" of a policy is a type'],
    ['{ "data": { "readings": 3 } }', '"data.readings"'],
    ['{ "limits": { "kernels": 3 } }', 'no rule "limits.kernels"'],
    ['{ "limits": { "calls": 0 } }', '"limits.calls"'],
  ])('%s is refused', (text, message) => {
    expect(() => parseGuardPolicy(text)).toThrow(message);
    expect(() => parseGuardPolicy(text)).toThrow(expect.objectContaining({ name: 'ValueError' }));
  });

  test('that signs needs identities', async () => {
    const backend = await loadBackend();
    expect(() => guardedLeaf({ backend })).toThrow(/identities/);
    expect(() => guardedLeaf({ backend, policy: { protocols: { paillier: {} } } })).toThrow(
      /identities/,
    );
    const unsigned = { protocols: { secAgg: { models: ['semi-honest'] as const } } };
    await guardedLeaf({ backend, policy: unsigned }).close();
  });
});

describe('the terms of a release', () => {
  const terms: ReleaseTerms = {
    protocol: 'secAgg',
    clients: 5,
    model: 'active',
    threshold: { shares: 4, of: 5 },
    vectors: [
      { length: 3, largest: 255n },
      { length: 2, largest: 7n },
    ],
  };
  const check = (policy: Parameters<typeof guardPolicy>[0], changes: Partial<ReleaseTerms>) => () =>
    new ReleaseRules({
      policy: guardPolicy(policy),
      ledger: memoryLedger(),
      audit: new AuditLog(undefined),
      now: Date.now,
    }).check({ ...terms, ...changes });

  test.each<[Parameters<typeof guardPolicy>[0], Partial<ReleaseTerms>, string]>([
    [{}, { protocol: 'masking' }, 'protocols'],
    [{}, { protocol: 'constructor' }, 'protocols'],
    [{}, { clients: 2 }, 'smallestCohort'],
    [{}, { clients: Number.NaN }, 'smallestCohort'],
    [{ protocols: { secAgg: { smallestCohort: 6 } } }, {}, 'protocols.secAgg.smallestCohort'],
    [{}, { model: 'semi-honest' }, 'protocols.secAgg.models'],
    [{ protocols: { secAgg: { leastThreshold: 0.81 } } }, {}, 'protocols.secAgg.leastThreshold'],
    [{ protocols: { secAgg: { leastThreshold: 5 } } }, {}, 'protocols.secAgg.leastThreshold'],
    [{ largestBitWidth: 7 }, {}, 'largestBitWidth'],
    [{ largestBitWidth: 8 }, { vectors: [{ length: 1, largest: 256n }] }, 'largestBitWidth'],
    [{ largestVector: 4 }, {}, 'largestVector'],
    [{ roundsPerDay: 0 }, {}, 'roundsPerDay'],
  ])('outside of the policy are refused (%#)', (policy, changes, rule) => {
    expect(check(policy, changes)).toThrow(expect.objectContaining({ name: 'PolicyError', rule }));
  });

  test('may be just within', () => {
    const policy = {
      smallestCohort: 5,
      largestBitWidth: 8,
      largestVector: 5,
      protocols: { secAgg: { leastThreshold: 0.8 } },
    };
    expect(check(policy, {})).not.toThrow();
    expect(check({ ...policy, protocols: { secAgg: { leastThreshold: 4 } } }, {})).not.toThrow();
  });
});

describe('an audit log', () => {
  test('does not fail because its sink does', () => {
    const log = new AuditLog({
      record: () => {
        throw new Error('disk full');
      },
      failure: () => {
        throw new Error('disk full');
      },
    });
    log.record({ kind: 'refused', rule: 'data' });
    log.failure(new Error('x'), 'data');
  });

  test('shortens what a server made long', () => {
    const details: (string | undefined)[] = [];
    const log = new AuditLog({ record: ({ detail }) => void details.push(detail) });
    log.record({ kind: 'refused', rule: 'data', detail: 'x'.repeat(10_000) });
    expect(details[0]?.length).toBeLessThan(600);
  });
});
