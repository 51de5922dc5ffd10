/**
 * @file What each intrinsic does to facts: which of its arguments leave the clients, and what its
 * result is computed from. An intrinsic that is not known here is taken to show all its arguments.
 */

import type { Intrinsic } from '../../computations/building-blocks.ts';
import {
  compactNotation,
  containsType,
  type FunctionType,
  type Type,
} from '../../computations/types/index.ts';
import type { IntrinsicDefinition } from '../definition.ts';
import { INTRINSICS } from '../table.ts';
import {
  asFunctionFact,
  asPlacedFact,
  asSequenceFact,
  covers,
  type Fact,
  type FunctionFact,
  join,
  mapOrigins,
  originsOf,
  type PlacedFact,
  publicArgument,
  spread,
  structElements,
} from './facts.ts';
import type { Ledger } from './ledger.ts';
import { type Origins, PUBLIC, union } from './origins.ts';
import type { BoundValue, Producer, SecureBound } from './report.ts';

/** A call of an intrinsic, on facts. */
interface IntrinsicCall {
  readonly uri: string;
  readonly type: FunctionType;
  readonly argument: Fact | null;
  /** The elements of the argument, if it is a struct; otherwise the argument. */
  readonly args: readonly Fact[];
  readonly producer: Producer;
  readonly ledger: Ledger;
}

type Rule = (call: IntrinsicCall) => Fact;

const RULES: { readonly [uri: string]: Rule | undefined } = {
  federated_aggregate: aggregate,
  federated_apply: apply,
  federated_broadcast: broadcast,
  federated_eval_at_clients: evaluateAtClients,
  federated_eval_at_server: evaluateAtServer,
  federated_map: map,
  federated_map_all_equal: map,
  federated_secure_select: select,
  federated_select: select,
  federated_value_at_clients: valueAtClients,
  federated_value_at_server: valueAtServer,
  federated_zip_at_clients: zip,
  federated_zip_at_server: zip,
  generic_divide: spreadArguments,
  generic_multiply: combine,
  generic_plus: combine,
  sequence_map: sequenceMap,
  sequence_reduce: sequenceReduce,
  sequence_sum: sequenceSum,
};

/** An intrinsic as a value: for most a function, that can be bound, passed on and called anywhere. */
export function intrinsicFact(node: Intrinsic, ledger: Ledger): Fact {
  const { uri, type, origin, source } = node;
  if (type.kind !== 'function') {
    const known = INTRINSICS.has(uri);
    return spread(type, known ? PUBLIC : ledger.origins.unplaced(`operator(${uri})`));
  }
  const producer: Producer = {
    intrinsic: origin ?? uri,
    ...(source === undefined ? {} : { source }),
  };
  const definition = INTRINSICS.get(uri);
  const rule = RULES[uri] ?? (definition?.aggregation ? aggregateBy(definition) : undefined);
  if (rule === undefined) {
    return unknownFunction(
      uri,
      type,
      ledger,
      ledger.origins.unplaced(`operator(${uri})`),
      producer,
    );
  }
  return {
    kind: 'function',
    type,
    apply: (argument) => {
      const args = argument?.kind === 'struct' ? argument.elements : argument ? [argument] : [];
      return rule({ uri, type, argument, args, producer, ledger });
    },
  };
}

/**
 * A function that nothing is known of but its type: a parameter, or an intrinsic of someone else's.
 * If it handles placed values, it may show them to the server; if not, its result may depend on its
 * argument, on what it takes functions to give, and on `own`.
 */
export function unknownFunction(
  name: string,
  type: FunctionType,
  ledger: Ledger,
  own: Origins,
  producer: Producer = { intrinsic: name },
): FunctionFact {
  const isPlaced = containsType(type, ({ kind }) => kind === 'federated');
  return {
    kind: 'function',
    type,
    apply: (argument) => {
      const given = argument === null ? PUBLIC : reachable(argument);
      if (!isPlaced) return resultOf(name, type.result, ledger, union(given, own));
      const atClients = ledger.origins.atClients(union(given, own));
      const shown: Fact = { kind: 'tensor', origins: atClients };
      const notation = compactNotation(type.parameter ?? type.result);
      const known = ledger.leave(shown, producer, { via: 'plain', type: notation });
      const seen = originsOf(known);
      return resultOf(name, type.result, ledger, union(atClients, seen));
    },
  };
}

/** A result of an unknown function; one at the server was shown already. */
function resultOf(name: string, type: Type, ledger: Ledger, origins: Origins): Fact {
  if (type.kind === 'function') return unknownFunction(`${name}(…)`, type, ledger, origins);
  if (type.kind === 'struct') {
    return {
      kind: 'struct',
      elements: type.elements.map((element) => resultOf(name, element.type, ledger, origins)),
    };
  }
  if (type.kind === 'federated' && type.placement !== 'clients') {
    const disclosed = new Set([...origins].filter(({ kind }) => kind === 'disclosed'));
    return spread(type, disclosed);
  }
  return spread(type, origins);
}

/** All origins that a function can get at through an argument, by calling the functions in it too. */
function reachable(fact: Fact): Origins {
  if (fact.kind === 'struct') {
    const data = union(...fact.elements.filter(isData).map(originsOf));
    const results = fact.elements.filter((each) => !isData(each)).map(reachable);
    return union(data, ...results);
  }
  if (fact.kind !== 'function') return originsOf(fact);
  const result = fact.apply(publicArgument(fact.type));
  return reachable(result);
}

function isData(fact: Fact): boolean {
  return fact.kind !== 'function' && fact.kind !== 'struct';
}

// — values that leave the clients

function aggregate({ type, args, producer, ledger }: IntrinsicCall): Fact {
  const [value, zero, accumulate, merge, report] = args;
  const element = ledger.leave(asPlacedFact(value).member, producer, {
    via: 'plain',
    type: parameterNotation(type, 0),
  });
  const start = ledger.leave(zero ?? spread(type.result, PUBLIC), producer, {
    via: 'plain',
    type: parameterNotation(type, 1),
  });
  const folded = fold(start, (state) => applyTo(accumulate, [state, element]));
  const merged = fold(folded, (state) => applyTo(merge, [state, state]));
  const result = asFunctionFact(report).apply(merged);
  return atServer(result, type, producer, ledger);
}

/** The rule of sums, means and extrema: leaf by leaf, weighted by a scalar if there are weights. */
function aggregateBy({ aggregation, uri }: IntrinsicDefinition): Rule {
  return ({ type, args, producer, ledger }) => {
    const placed = args.filter((fact): fact is PlacedFact => fact.kind === 'placed');
    const members = placed.map(({ member }) => member);
    const [value, ...weights] = members;
    const isSecure = aggregation === 'secure';
    const bound = isSecure ? boundOf(uri, type, args[1]) : undefined;
    const shown = ledger.leave(
      members.length === 1 && value !== undefined ? value : { kind: 'struct', elements: members },
      producer,
      {
        via: isSecure ? 'secure' : 'plain',
        type: isSecure ? memberNotation(type.result) : argumentNotation(type),
        ...(bound === undefined ? {} : { bound }),
      },
    );
    const [first = shown, ...others] = weights.length === 0 ? [shown] : structElements(shown);
    const weight = union(...others.map(originsOf));
    return {
      kind: 'placed',
      placement: 'server',
      member: mapOrigins(first, (origins) => union(origins, weight)),
      producer,
    };
  };
}

function select({ uri, type, args, producer, ledger }: IntrinsicCall): Fact {
  const [keys, maxKey, source, slice] = args;
  const asked = asPlacedFact(keys).member;
  const from = asPlacedFact(source).member;
  const key: Fact =
    uri === 'federated_select'
      ? ledger.leave(asked, producer, { via: 'keys', type: parameterNotation(type, 0) })
      : { kind: 'tensor', origins: PUBLIC };
  // The rows are computed at the server, so they can hold nothing of the clients that is not known.
  const rowType = compactNotation(type.result);
  const row = ledger.leave(applyTo(slice, [from, key]), producer, { via: 'plain', type: rowType });
  const most = originsOf(asPlacedFact(maxKey));
  const choice: Fact = { kind: 'tensor', origins: most };
  ledger.send({ kind: 'struct', elements: [from, choice] }, producer, memberNotation(type.result));
  // What a client got is its own choice of rows.
  const chosen = union(originsOf(asked), most);
  const element = mapOrigins(row, (origins) => union(origins, chosen));
  return {
    kind: 'placed',
    placement: 'clients',
    member: { kind: 'sequence', element, length: PUBLIC },
    producer,
  };
}

// — values that stay where they are, or go to the clients

function map({ args, producer, ledger }: IntrinsicCall): Fact {
  const [fn, value] = args;
  const placed = asPlacedFact(value);
  const result = asFunctionFact(fn).apply(placed.member);
  return {
    ...placed,
    member: mapOrigins(result, ledger.origins.atClients),
    // A selection that tracing put in has no place of its own.
    producer: producer.source === undefined ? (placed.producer ?? producer) : producer,
  };
}

function evaluateAtClients({ argument, producer, ledger }: IntrinsicCall): Fact {
  const result = asFunctionFact(argument ?? undefined).apply(null);
  const member = mapOrigins(result, ledger.origins.atClients);
  return { kind: 'placed', placement: 'clients', member, producer };
}

function apply({ type, args, producer, ledger }: IntrinsicCall): Fact {
  const [fn, value] = args;
  const result = asFunctionFact(fn).apply(asPlacedFact(value).member);
  return atServer(result, type, producer, ledger);
}

function evaluateAtServer({ type, argument, producer, ledger }: IntrinsicCall): Fact {
  const result = asFunctionFact(argument ?? undefined).apply(null);
  return atServer(result, type, producer, ledger);
}

function valueAtServer({ type, argument, producer, ledger }: IntrinsicCall): Fact {
  return atServer(argument ?? spread(type.result, PUBLIC), type, producer, ledger);
}

function valueAtClients({ type, argument, producer, ledger }: IntrinsicCall): Fact {
  // Unplaced values are the server's; it sends them.
  const placed = atServer(argument ?? spread(type.result, PUBLIC), type, producer, ledger);
  return toClients(placed, type, producer, ledger);
}

function broadcast({ type, argument, producer, ledger }: IntrinsicCall): Fact {
  return toClients(asPlacedFact(argument), type, producer, ledger);
}

function toClients(
  { member }: PlacedFact,
  type: FunctionType,
  producer: Producer,
  ledger: Ledger,
): Fact {
  ledger.send(member, producer, memberNotation(type.result));
  return { kind: 'placed', placement: 'clients', member, producer };
}

function zip({ type, argument, producer }: IntrinsicCall): Fact {
  const strip = (fact: Fact): Fact =>
    fact.kind === 'placed'
      ? fact.member
      : { kind: 'struct', elements: structElements(fact).map(strip) };
  const placement = type.result.kind === 'federated' ? type.result.placement : 'clients';
  return { kind: 'placed', placement, member: strip(argument as Fact), producer };
}

/** A value at the server. Client data gets there by an aggregation only; should it come otherwise, it is shown. */
function atServer(
  value: Fact,
  { result }: FunctionType,
  producer: Producer,
  ledger: Ledger,
): PlacedFact {
  const type = memberNotation(result);
  const member = ledger.leave(value, producer, { via: 'plain', type });
  return { kind: 'placed', placement: 'server', member, producer };
}

// — values without placement

function combine({ args }: IntrinsicCall): Fact {
  const [a, b] = args;
  return a === undefined || b === undefined ? (a as Fact) : join(a, b);
}

function spreadArguments({ type, args }: IntrinsicCall): Fact {
  return spread(type.result, union(...args.map(originsOf)));
}

function sequenceMap({ args }: IntrinsicCall): Fact {
  const [fn, source] = args;
  const { element, length } = asSequenceFact(source);
  return { kind: 'sequence', element: asFunctionFact(fn).apply(element), length };
}

function sequenceReduce({ args }: IntrinsicCall): Fact {
  const [source, zero, step] = args;
  const { element, length } = asSequenceFact(source);
  const last = fold(zero as Fact, (state) => applyTo(step, [state, element]));
  return mapOrigins(last, (origins) => union(origins, length));
}

function sequenceSum({ args }: IntrinsicCall): Fact {
  const { element, length } = asSequenceFact(args[0]);
  return mapOrigins(element, (origins) => union(origins, length));
}

/** The least fact that covers `start` and every state that steps lead to; origins are finite, so it ends. */
function fold(start: Fact, step: (state: Fact) => Fact): Fact {
  let state = start;
  for (;;) {
    const next = step(state);
    const both = join(state, next);
    if (covers(state, next)) return both;
    state = both;
  }
}

function applyTo(fn: Fact | undefined, args: readonly Fact[]): Fact {
  return asFunctionFact(fn).apply({ kind: 'struct', elements: args });
}

// — what an entry says

function boundOf(
  uri: string,
  { parameter }: FunctionType,
  bound: Fact | undefined,
): SecureBound | undefined {
  const kind = BOUND_KINDS[uri];
  const type = parameter?.kind === 'struct' ? parameter.elements[1]?.type : undefined;
  if (kind === undefined || bound === undefined || type === undefined) return undefined;
  return { kind, value: boundValue(bound, type) };
}

const BOUND_KINDS: { readonly [uri: string]: SecureBound['kind'] | undefined } = {
  federated_secure_sum: 'max',
  federated_secure_sum_bitwidth: 'bitwidth',
  federated_secure_modular_sum: 'modulus',
};

function boundValue(fact: Fact, type: Type): BoundValue {
  if (fact.kind === 'struct' && type.kind === 'struct') {
    const values = fact.elements.map((each, i) => {
      const element = type.elements[i];
      return element === undefined ? null : boundValue(each, element.type);
    });
    const names = type.elements.map(({ name }) => name);
    return names.includes(null)
      ? values
      : Object.fromEntries(values.map((value, i) => [names[i], value]));
  }
  if (fact.kind !== 'tensor' || fact.constant === undefined) return null;
  const value = fact.constant.scalar();
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** The member of what is aggregated; of a value and its weight, both. */
function argumentNotation({ parameter }: FunctionType): string {
  if (parameter?.kind !== 'struct') return parameter === null ? '<>' : memberNotation(parameter);
  return `<${parameter.elements.map(({ type }) => memberNotation(type)).join(',')}>`;
}

function memberNotation(type: Type): string {
  return compactNotation(type.kind === 'federated' ? type.member : type);
}

function parameterNotation({ parameter }: FunctionType, index: number): string {
  const type = parameter?.kind === 'struct' ? parameter.elements[index]?.type : parameter;
  return type ? memberNotation(type) : '<>';
}
