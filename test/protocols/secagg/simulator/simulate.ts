/**
 * @file One seed from beginning to end: clients, a server and a network in virtual time, and what must
 * hold whatever they do.
 */

import { deterministicRng, type SecAggAgreement, utf8 } from '../../../../protocols/index.ts';
import { createChooser } from './chooser.ts';
import { type ClientFlaws, ClientHost } from './client-host.ts';
import { VirtualClock } from './clock.ts';
import { Evidence, type Violation } from './evidence.ts';
import { type Judgement, judge } from './guarantees.ts';
import { identitiesOf } from './identities.ts';
import { Liar } from './liar.ts';
import { schemeForCompleteGraph } from './liar-complete.ts';
import { schemeForSparseGraph } from './liar-sparse.ts';
import { createMeddling } from './meddling.ts';
import { Network } from './network.ts';
import { describePlan, type Plan, type PlanChanges, planOf } from './plan.ts';
import { errorIn, type RoundEnd } from './rounds.ts';
import { SecretWatch } from './secret-watch.ts';
import { ServerHost } from './server-host.ts';
import { realSteps } from './steps.ts';
import { Inputs, type World } from './world.ts';

export interface SimulationOptions {
  /** What is not as the seed says. */
  readonly changes?: PlanChanges;
  /** Further changes to the plan. */
  readonly adjust?: (plan: Plan) => Plan;
  /** Flaws of the clients. @default none */
  readonly flaws?: Partial<ClientFlaws>;
  readonly trace?: (line: string) => void;
}

export interface SimulationResult {
  readonly plan: Plan;
  readonly violations: readonly Violation[];
  readonly ends: readonly RoundEnd[];
  /** Codes of the faults of clients and of what the server refused, with repetitions. */
  readonly clientFaults: readonly string[];
  readonly refusals: readonly string[];
  readonly judgement: Judgement;
  /** Milliseconds of virtual time. */
  readonly duration: number;
}

export function simulate(seed: number, options: SimulationOptions = {}): SimulationResult {
  const drawn = planOf(seed, options.changes);
  const plan = options.adjust === undefined ? drawn : options.adjust(drawn);
  const world = createWorld(plan, options.trace);
  const { clock, evidence, watch } = world;
  world.say('plan', () => describePlan(plan));

  const network = new Network(world);
  const hosts: ClientHost[] = [];
  const ends: RoundEnd[] = [];
  const flaws = { steps: realSteps, ...options.flaws };
  for (let client = 0; client < plan.clients; client += 1) {
    const puppet = plan.server === 'equivocating' && plan.corrupt.includes(client);
    if (!puppet) hosts.push(new ClientHost(client, world, network, flaws));
  }
  const ended = (agreement: SecAggAgreement, end: RoundEnd): void => {
    ends.push(end);
    judgeEnd(world, hosts, agreement, end);
  };
  const server = startServer(world, network, ended);

  if (!clock.run({ events: MOST_EVENTS, time: LONGEST })) {
    evidence.breach('hang', `it goes on at ${clock.now} ms`);
    clock.clear();
  }
  network.shutDown();
  for (const host of hosts) host.shutDown();
  for (const owner of watch.left()) evidence.breach('secret-left', `a secret of ${owner} is left`);
  watch.end();
  const judgement = judge(evidence, plan);
  judgeAccusations(world, hosts);
  if (isCalm(plan) && !ends.every(({ kind }) => kind === 'finish')) {
    evidence.breach('unfinished', 'nothing was in the way, and yet there is no sum');
  }
  for (const { rule, text } of evidence.violations) world.say('breach', () => `[${rule}] ${text}`);
  return {
    plan,
    violations: evidence.violations,
    ends,
    clientFaults: hosts.flatMap(({ faults }) => faults),
    refusals: server?.refusals ?? [],
    judgement,
    duration: clock.now,
  };
}

/** What shows the same seed again, and what went on in it. */
export function replayCommand({ seed }: Pick<Plan, 'seed'>, changes: PlanChanges = {}): string {
  const options = Object.entries(changes).map(([name, value]) => `--${name} ${value} `);
  return `npx tsx scripts/simulate-secagg.ts --seed ${seed} ${options.join('')}--trace`;
}

function createWorld(plan: Plan, trace: SimulationOptions['trace']): World {
  const { seed } = plan;
  const clock = new VirtualClock();
  const chooser = createChooser(`simulation ${seed}`);
  const watch = SecretWatch.begin();
  const identities = identitiesOf(plan, chooser.fork('identities'));
  watch.seeAll(identities.signingKeys);
  return {
    plan,
    clock,
    chooser,
    rng: deterministicRng(utf8(`simulated secure aggregation ${seed}`)),
    identities,
    watch,
    evidence: new Evidence(plan),
    inputs: new Inputs(chooser.fork('inputs')),
    say: (who, what) =>
      trace?.(`${clock.now.toFixed(0).padStart(6)} ms  ${who.padEnd(22)} ${what()}`),
  };
}

function startServer(
  world: World,
  network: Network,
  ended: (agreement: SecAggAgreement, end: RoundEnd) => void,
): ServerHost | undefined {
  const { server: kind, graph } = world.plan;
  if (kind === 'equivocating') {
    new Liar(world, network).start(
      graph === 'complete' ? schemeForCompleteGraph : schemeForSparseGraph,
    );
    return undefined;
  }
  const server =
    kind === 'meddling'
      ? new ServerHost(world, network, ended, createMeddling(world))
      : new ServerHost(world, network, ended);
  server.start();
  return server;
}

/** The sum is exact over those it names, or the round ends with a cause that fits. */
function judgeEnd(
  { evidence, inputs, plan }: World,
  hosts: readonly ClientHost[],
  agreement: SecAggAgreement,
  end: RoundEnd,
): void {
  const blameless = plan.server === 'honest' && !evidence.tampered;
  const allHonest = blameless && !hosts.some(({ misbehaved }) => misbehaved);
  if (end.kind === 'crash') return;
  if (end.kind === 'fault') {
    const expected = allHonest ? NOBODYS_FAULT : NAMED_ENDS;
    if (!expected.includes(end.code)) {
      evidence.breach('unnamed-end', `the round ended with [${end.code}] ${end.message}`);
    }
    return;
  }
  const error = errorIn(end.finished, agreement, (client) => inputs.of(client, agreement));
  if (error !== undefined && allHonest) evidence.breach('wrong-sum', error);
  if (!blameless || plan.model !== 'active') return;
  for (const { client, code, with: other } of end.finished.report.blamed) {
    // A complaint says that one of the two did wrong; commitments say who.
    const guilty = code === 'disputed-share' ? [client, other] : [client];
    if (!guilty.some((one) => plan.corrupt.includes(one))) {
      evidence.breach('false-blame', `client ${client} is blamed: ${code} with ${other}`);
    }
  }
}

/** Where everybody follows the protocol, no client takes another, or the server, for a liar. */
function judgeAccusations({ evidence, plan }: World, hosts: readonly ClientHost[]): void {
  const honest = plan.server === 'honest' && !evidence.tampered && !plan.hosts.careless;
  const sealed = plan.network.sealed || plan.network.forge + plan.network.flip === 0;
  if (!honest || !sealed || hosts.some(({ misbehaved }) => misbehaved)) return;
  for (const { number, faults } of hosts) {
    for (const code of faults) {
      if (!WITHOUT_ACCUSATION.includes(code)) {
        evidence.breach('false-accusation', `client ${number} refuses with [${code}]`);
      }
    }
  }
}

function isCalm(plan: Plan): boolean {
  const { network, hosts, server, corrupt, serverCrash } = plan;
  if (plan.rounds > plan.mostRounds) return false;
  const { loss, late, flip, forge, duplicate, delay } = network;
  const rough =
    loss + late + flip + forge + duplicate + hosts.crash + serverCrash > 0 || hosts.careless;
  return !rough && delay[1] <= 300 && server === 'honest' && corrupt.length === 0;
}

const NOBODYS_FAULT: readonly string[] = ['too-few-clients', 'too-few-shares'];
const NAMED_ENDS: readonly string[] = [...NOBODYS_FAULT, 'wrong-secret', 'sum-out-of-range'];
const WITHOUT_ACCUSATION: readonly string[] = [
  'session-used',
  'too-many-rounds',
  'too-few-clients',
  'too-few-survivors',
  'too-few-confirmations',
  'too-many-choosers',
  'self-missing',
];

const MOST_EVENTS = 100_000;
/** Six stages for each of a few rounds and sessions, and what comes late. */
const LONGEST = 120_000;
