/**
 * @file The evaluation of Goetze and Bissell, "Secure Aggregation for Federated Computation", section
 * 4.1, on our machines: how long the stages of the protocol with perturbations last by the number of
 * clients (their figure 3: 5 values up to 1,000, b = 10^6) and by the length of the vector (figure 4:
 * 5 clients, values up to 10^6, b = 10^12), beside pairwise masking, which makes the same sums.
 *
 * As in the paper t1 is when the server has all keys, t2 when it has all perturbations and t3 when it
 * has the sum, each from the start. All clients and the server take turns on one thread, and every
 * message is encoded and decoded. There is no network and nothing to wait for, so what is measured is
 * processor time: other work on the machine does not count.
 */

import {
  type AdvertisedKey,
  advertisedKeyCodec,
  type DeliveredPerturbations,
  deliveredPerturbationsCodec,
  exchangePerturbations,
  type Fault,
  finishMaskingServer,
  finishPerturbationsServer,
  handleAtMaskingServer,
  handleAtPerturbationsServer,
  isFault,
  type MaskingParameters,
  type MessageCodec,
  maskClientInput,
  maskedInputCodec,
  maskWithPerturbations,
  type PerturbationsServerContinued,
  type Residues,
  type Roster,
  randomBytes,
  rosterCodec,
  sentPerturbationsCodec,
  startMaskingClient,
  startMaskingServer,
  startPerturbationsClient,
  startPerturbationsServer,
  toNumbers,
} from '../../protocols/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';

const CLIENTS = [10, 20, 40, 80];
const LENGTHS = [1_000, 10_000, 100_000, 1_000_000];
/** How many are made after one that warms up. */
const RUNS = 5;

const benchmark: Benchmark = {
  name: 'perturbations',
  target: 'quadratic in clients, linear in values, and the sums of masking',
  async run(): Promise<BenchmarkFigure[]> {
    const byClients = CLIENTS.map((clients) =>
      measure(`${clients} clients, 5 values`, {
        clients,
        length: 5,
        maximum: 1_000,
        base: 10n ** 6n,
      }),
    );
    const byLength = LENGTHS.map((length) =>
      measure(`5 clients, ${length} values`, {
        clients: 5,
        length,
        maximum: 10 ** 6,
        base: 10n ** 12n,
      }),
    );
    return [
      ...byClients.flatMap(({ figures }) => figures),
      ...byLength.flatMap(({ figures }) => figures),
      {
        case: 't3 grows with the clients to the power of',
        unit: '',
        value: exponent(byClients, CLIENTS),
        limit: { atMost: 2.3 },
      },
      {
        case: 't3 grows with the values to the power of',
        unit: '',
        value: exponent(byLength, LENGTHS),
        limit: { atMost: 1.3 },
      },
    ];
  },
};

export default benchmark;

interface Workload {
  readonly clients: number;
  readonly length: number;
  readonly maximum: number;
  readonly base: bigint;
}

interface Trial {
  /** Milliseconds of processor time from the start to the end of each stage. */
  readonly ends: readonly number[];
  /** Bytes that one client sends and gets. */
  readonly traffic: number;
  readonly sums: readonly number[];
}

function measure(
  title: string,
  workload: Workload,
): { readonly figures: BenchmarkFigure[]; readonly total: number } {
  const inputs = Array.from({ length: workload.clients }, (_, client) =>
    Uint32Array.from(
      { length: workload.length },
      (_, i) => (i * 7_919 + client * 104_729) % (workload.maximum + 1),
    ),
  );
  const explicit = shortest(() => runPerturbations(workload, inputs));
  const seeded = shortest(() => runMasking(workload, inputs));
  if (explicit.sums.some((sum, i) => sum !== seeded.sums[i])) {
    throw new Error('Perturbations and masks give different sums.');
  }
  const [t1 = 0, t2 = 0, t3 = 0] = explicit.ends;
  const figure = (what: string, unit: string, value: number): BenchmarkFigure => ({
    case: `${title}: ${what}`,
    unit,
    value,
  });
  return {
    total: t3,
    figures: [
      figure('t1, keys', 'ms', t1),
      figure('t2, perturbations', 'ms', t2),
      figure('t3, sum', 'ms', t3),
      figure('masking, sum', 'ms', lasted(seeded)),
      figure("a client's traffic", 'kB', explicit.traffic / 1000),
      figure("masking, a client's traffic", 'kB', seeded.traffic / 1000),
    ],
  };
}

function runPerturbations(
  { clients, length, maximum, base }: Workload,
  inputs: readonly Uint32Array[],
): Trial {
  const stages = new Stages();
  const setup = newRound(clients, length, maximum, base);
  let server = startPerturbationsServer(setup);
  const advertised = setup.clients.map((client) =>
    sound(startPerturbationsClient({ ...setup, client })),
  );
  let step: PerturbationsServerContinued = { kind: 'continue', state: server };
  for (const { message } of advertised) {
    step = sound(handleAtPerturbationsServer(server, stages.send(advertisedKeyCodec, message)));
    server = step.state;
  }
  const roster = step.message as Roster;
  stages.end();

  const exchanged = advertised.map(({ state }) =>
    sound(exchangePerturbations(state, stages.send(rosterCodec, roster))),
  );
  for (const { message } of exchanged) {
    step = sound(handleAtPerturbationsServer(server, stages.send(sentPerturbationsCodec, message)));
    server = step.state;
  }
  const deliveries = step.deliveries as readonly DeliveredPerturbations[];
  stages.end();

  for (const [i, { state }] of exchanged.entries()) {
    const delivered = stages.send(deliveredPerturbationsCodec, deliveries[i]!);
    const { message } = sound(maskWithPerturbations(state, delivered, [inputs[i]!]));
    const masked = stages.send(maskedInputCodec, message);
    server = sound(handleAtPerturbationsServer(server, masked)).state;
  }
  const { sums } = sound(finishPerturbationsServer(server));
  stages.end();
  return stages.trial(clients, sums);
}

function runMasking(
  { clients, length, maximum, base }: Workload,
  inputs: readonly Uint32Array[],
): Trial {
  const stages = new Stages();
  const setup = newRound(clients, length, maximum, base);
  let server = startMaskingServer(setup);
  const advertised = setup.clients.map((client) => sound(startMaskingClient({ ...setup, client })));
  let roster: Roster | undefined;
  for (const { message } of advertised) {
    const key: AdvertisedKey = stages.send(advertisedKeyCodec, message);
    const step = sound(handleAtMaskingServer(server, key));
    server = step.state;
    roster = step.message;
  }
  stages.end();

  for (const [i, { state }] of advertised.entries()) {
    const listed = stages.send(rosterCodec, roster as Roster);
    const { message } = sound(maskClientInput(state, listed, { vectors: [inputs[i]!] }));
    server = sound(handleAtMaskingServer(server, stages.send(maskedInputCodec, message))).state;
  }
  const { sums } = sound(finishMaskingServer(server));
  stages.end();
  return stages.trial(clients, sums);
}

function newRound(clients: number, length: number, maximum: number, base: bigint) {
  const parameters: MaskingParameters = {
    clients,
    vectors: [{ kind: 'sum', id: 'x', length, maximum: BigInt(maximum), modulus: base }],
  };
  const names = Array.from({ length: clients }, (_, i) => `clients/${i}`);
  return { session: randomBytes(32), round: 0, parameters, clients: names };
}

/** The clock of a trial, and the bytes that went over the wire. */
class Stages {
  readonly #start = process.cpuUsage();
  readonly #ends: number[] = [];
  #bytes = 0;

  /** A message as the other end reads it. */
  send<M extends object>(codec: MessageCodec<M>, message: M): M {
    const bytes = codec.encode(message);
    this.#bytes += bytes.length;
    return sound(codec.decode(bytes) as M & { readonly kind: string });
  }

  end(): void {
    const { user, system } = process.cpuUsage(this.#start);
    this.#ends.push((user + system) / 1000);
  }

  trial(clients: number, sums: readonly Residues[]): Trial {
    return { ends: this.#ends, traffic: this.#bytes / clients, sums: sums.flatMap(toNumbers) };
  }
}

function sound<T extends { readonly kind: string }>(outcome: T): Exclude<T, Fault> {
  if (isFault(outcome)) throw new Error(outcome.message);
  return outcome as Exclude<T, Fault>;
}

/** The shortest of several trials: whatever disturbs one only adds to it. */
function shortest(run: () => Trial): Trial {
  run();
  const trials = Array.from({ length: RUNS }, run);
  return trials.reduce((best, trial) => (lasted(trial) < lasted(best) ? trial : best));
}

function lasted({ ends }: Trial): number {
  return ends.at(-1) ?? Number.NaN;
}

/** The slope of the last step on logarithmic scales, where what does not grow weighs least. */
function exponent(series: readonly { readonly total: number }[], sizes: readonly number[]): number {
  const [before = Number.NaN, last = Number.NaN] = series.slice(-2).map(({ total }) => total);
  const [smaller = Number.NaN, larger = Number.NaN] = sizes.slice(-2);
  return Math.log(last / before) / Math.log(larger / smaller);
}
