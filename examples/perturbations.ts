/**
 * @file The protocol of Goetze and Bissell, "Secure Aggregation for Federated Computation", step by
 * step with small numbers: what each client draws, what the server carries, what it sees and why the
 * sum comes out. First the state machines by hand, then the same on an executor stack.
 */

import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedSecureSum,
  int32,
  localExecutorFactory,
  perturbations,
  withContext,
} from 'fedloom';
import {
  type DeliveredPerturbations,
  deterministicRng,
  drawPerturbation,
  exchangePerturbations,
  type Fault,
  finishPerturbationsServer,
  handleAtPerturbationsServer,
  isFault,
  type MaskingParameters,
  maskWithPerturbations,
  type Roster,
  randomBytes,
  startPerturbationsClient,
  startPerturbationsServer,
  toHex,
  toNumbers,
} from 'fedloom/protocols';
import { bar, heading, note, result, table } from './support/terminal.ts';

const clients = ['Ada', 'Bo', 'Cleo'];
const values = [12, 40, 7];
const base = 1000;

const parameters: MaskingParameters = {
  clients: clients.length,
  vectors: [{ kind: 'sum', id: 'x', length: 1, maximum: 100n, modulus: BigInt(base) }],
};
const round = { session: randomBytes(32), round: 0, parameters };

heading(`${clients.length} clients add numbers up to 100, with b = ${base}`);
table(
  ['client', 'value x'],
  clients.map((client, i) => [client, values[i]!]),
);

heading('1. Every client sends a fresh public key, and the server passes all of them on');
let server = startPerturbationsServer({ ...round, clients });
const advertised = clients.map((client) => sound(startPerturbationsClient({ ...round, client })));
let roster: Roster | undefined;
for (const { message } of advertised) {
  const step = sound(handleAtPerturbationsServer(server, message));
  server = step.state;
  roster = step.message;
}
table(
  ['client', 'public key'],
  advertised.map(({ message }) => [message.client, `${toHex(message.publicKey).slice(0, 24)}…`]),
);

heading(`2. Every client draws a perturbation from 0 to ${base - 1} for each other one`);
// Clients draw from a source that can be replayed, so that this program can show what they drew.
const seeds = clients.map(() => randomBytes(32));
const exchanged = advertised.map(({ state }, i) =>
  sound(exchangePerturbations(state, roster!, { rng: deterministicRng(seeds[i]!) })),
);
const drawn = clients.map((_, i) => {
  const rng = deterministicRng(seeds[i]!);
  return clients.map((_, j) =>
    i === j ? 0 : toNumbers(drawPerturbation(parameters.vectors, rng)[0]!)[0]!,
  );
});
table(
  ['from \\ to', ...clients],
  clients.map((client, i) => [
    client,
    ...drawn[i]!.map((perturbation, j) => (i === j ? '' : String(perturbation))),
  ]),
);

note('\n  Each is sealed for whom it is for. The server carries:');
let deliveries: readonly DeliveredPerturbations[] = [];
for (const { message } of exchanged) {
  const step = sound(handleAtPerturbationsServer(server, message));
  server = step.state;
  deliveries = step.deliveries ?? deliveries;
}
table(
  ['from', 'to', 'sealed'],
  exchanged.flatMap(({ message }) =>
    message.perturbations.map(({ peer, sealed }) => [message.client, peer, toHex(sealed)]),
  ),
);

heading('3. Every client adds what it sent, takes off what it got, and sends that');
const masked = exchanged.map(
  ({ state }, i) => sound(maskWithPerturbations(state, deliveries[i]!, [[values[i]!]])).message,
);
const seen = masked.map(({ vectors }) => toNumbers(vectors[0]!)[0]!);
const total = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0);
table(
  ['client', 'x', '+ sent', '- got', `mod ${base}`, ''],
  clients.map((client, i) => {
    const sent = total(drawn[i]!);
    const got = total(drawn.map((row) => row[i]!));
    const expected = (((values[i]! + sent - got) % base) + base) % base;
    if (expected !== seen[i]) throw new Error(`${client} sent something else.`);
    return [client, values[i]!, sent, got, seen[i]!, bar(seen[i]!, base)];
  }),
);

heading('The server sees only the last column, and adds it up');
for (const message of masked.slice(0, -1)) {
  server = sound(handleAtPerturbationsServer(server, message)).state;
}
const early = finishPerturbationsServer(server);
result('without Cleo', 'no sum', isFault(early) ? early.code : '');
server = sound(handleAtPerturbationsServer(server, masked.at(-1)!)).state;
const { sums } = sound(finishPerturbationsServer(server));
result('with everyone', String(toNumbers(sums[0]!)[0]), `${seen.join(' + ')} mod ${base}`);
result('in the clear', String(total(values)), values.join(' + '));

heading('The same on an executor stack');
const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 100));
await using context = new ExecutionContext(
  localExecutorFactory({ secureAggregation: perturbations({ base }) }),
);
result('perturbations({ base })', String(await withContext(context, () => sum(values))));

function sound<T extends { readonly kind: string }>(outcome: T): Exclude<T, Fault> {
  if (isFault(outcome)) throw new Error(outcome.message);
  return outcome as Exclude<T, Fault>;
}
