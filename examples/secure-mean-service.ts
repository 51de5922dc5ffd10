/**
 * @file Five hospitals average their model updates, one drops out on the way, and nobody sees a single
 * update. No computation is written and no stack is built: this is the summation service, with the
 * parameters and the stages of Flower's SecAgg workflow.
 *
 * The hospitals are in this process; `request` is where a transport would be.
 */

import {
  generateIdentities,
  type SummationPeer,
  type SummationStage,
  secAggWorkflow,
  summationClient,
} from 'fedloom';
import { heading, note, result, table } from './support/terminal.ts';

const names = ['North', 'East', 'South', 'West', 'Lake'];
const { roster, identities } = generateIdentities(names);

/** What a hospital learned from its patients: an update of the model, and from how many of them. */
const updates = names.map((_, i) => ({
  tensors: {
    weights: Array.from({ length: 6 }, (__, j) => Math.sin(3 * i + j)),
    bias: [i / 10],
  },
  weight: 120 + 75 * i,
}));

const hospitals = names.map((_, i) =>
  summationClient({
    identity: identities[i]!,
    roster,
    policy: { minimumClients: 3 },
    contribute: () => updates[i]!,
  }),
);

let lakeIsCutOff = false;
const peers: SummationPeer[] = names.map((name, i) => ({
  name,
  async request(message) {
    if (name === 'Lake' && lakeIsCutOff) throw new Error('the line is dead');
    return hospitals[i]!.handle(message);
  },
}));

heading('A weighted mean of model updates');
const workflow = secAggWorkflow({ roster, reconstructionThreshold: 3, timeout: 30 });
const rows: (string | number)[][] = [];
for (const stage of ['setup', 'shareKeys', 'collectMaskedVectors', 'unmask'] as SummationStage[]) {
  workflow.on(stage, (event) => {
    if (event.kind !== 'end') return;
    const lost = event.lost.map(({ client, message }) => `${client}: ${message}`).join();
    const { toClients, toServer } = event.traffic;
    rows.push([stage, event.answered.length, toClients, toServer, lost]);
  });
}

// Lake has shared its keys when it is lost: its masks have to come off without it.
workflow.on('collectMaskedVectors', ({ kind }) => {
  if (kind === 'begin') lakeIsCutOff = true;
});

const round = workflow.startMean(peers, { tensors: { weights: [2, 3], bias: 1 } });
note(`  ${names.length} hospitals, of which ${round.parameters.threshold} must stay until the end`);
const { mean, clients, errorBound, totalWeight } = await round.run();
table(['stage', 'answered', 'bytes to all', 'bytes from all', 'lost'], rows);

heading('The mean');
const included = updates.filter((_, i) => clients.includes(names[i]!));
const patients = included.reduce((sum, { weight }) => sum + weight, 0);
const plain = (tensor: 'weights' | 'bias'): number[] =>
  updates[0]!.tensors[tensor].map(
    (_, j) =>
      included.reduce((sum, { tensors, weight }) => sum + weight * tensors[tensor][j]!, 0) /
      patients,
  );
const shown = (values: Iterable<number>): string =>
  [...values].map((value) => value.toFixed(4)).join(' ');
result('in it', clients.join(', '), `${totalWeight} patients`);
result('secure', shown([...mean.weights!, ...mean.bias!]));
result('plain', shown([...plain('weights'), ...plain('bias')]));
const errors = [...mean.weights!, ...mean.bias!].map((value, j) =>
  Math.abs(value - [...plain('weights'), ...plain('bias')][j]!),
);
result(
  'largest error',
  Math.max(...errors).toExponential(1),
  `bound ${errorBound.toExponential(1)}`,
);
