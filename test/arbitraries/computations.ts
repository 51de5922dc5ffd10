/**
 * @file Random well-typed federated computations with data for them: nested structs, sequences,
 * lambdas and names that hide others, maps of maps, zips, broadcasts and several aggregations. They
 * run without failing, and their numbers are small integers, so that results can be compared.
 *
 * A computation is built from a list of numbers that are taken one after the other wherever there is
 * a choice. Shrinking the list makes the computation smaller; when it is used up, choices are 0,
 * which is the simplest one everywhere.
 */

import fc from 'fast-check';
import {
  type BuildingBlock,
  block,
  call,
  intrinsic,
  type Lambda,
  lambda,
  literal,
  reference,
  selection,
  structBlock,
} from '../../computations/building-blocks.ts';
import { printBlock } from '../../computations/notation.ts';
import {
  atClients,
  atServer,
  type FederatedType,
  federated,
  float32,
  func,
  int32,
  isIdentical,
  type SequenceType,
  sequence,
  struct,
  structOf,
  type Type,
  toMaterialized,
} from '../../computations/types/index.ts';
import { call2, intrinsicCall, unnamed } from './federated-calls.ts';
import { add, constant, convert, positive, stretch } from './tensor-functions.ts';

export interface ComputationCase {
  readonly block: Lambda;
  /** Types of the parameters, as the user gives them. */
  readonly parameters: readonly Type[];
  readonly args: readonly unknown[];
  /** How a counterexample is printed. */
  readonly [fc.toStringMethod]: () => string;
}

/** A computation over values at clients and server, with data for 1 to 3 clients. */
export const computationCase: fc.Arbitrary<ComputationCase> = choiceLists().map((choices) =>
  new Generator(choices).computation(),
);

/** One round: a state at the server and data of the clients to the next state and an output. */
export const roundCase: fc.Arbitrary<ComputationCase> = choiceLists().map((choices) =>
  new Generator(choices, { isRound: true }).round(),
);

const Pair = struct({ a: int32(), b: float32() });
const Deep = struct([struct({ a: int32(), b: float32() }), float32(2)]);
const MEMBERS: readonly Type[] = [int32(), float32(), Pair, float32(2), Deep];
const Elements = sequence(int32());
const FLOATS: readonly Type[] = [float32(), float32(2), struct({ u: float32(), v: float32(2) })];
const PARAMETERS: readonly FederatedType[] = [
  atClients(int32()),
  atClients(Pair),
  atClients(sequence(int32())),
  atServer(Pair),
  atServer(float32()),
  atClients(float32(), { allEqual: true }),
];
/** Few, so that inner names hide outer ones. */
const NAMES = ['x', 'y', 'arg', '_var1', 'f'];
const MOST_DEPTH = 3;

interface Bound {
  readonly name: string;
  readonly type: Type;
}

type Scope = readonly Bound[];

class Generator {
  readonly #choices: readonly number[];
  /** In a round nothing that was aggregated is broadcast. */
  readonly #isRound: boolean;
  #next = 0;
  #isSent = false;

  constructor(choices: readonly number[], { isRound = false } = {}) {
    this.#choices = choices;
    this.#isRound = isRound;
  }

  round(): ComputationCase {
    const clients = 1 + this.#choose(3);
    const types = [atServer(this.#oneOf(MEMBERS)), atClients(this.#oneOf([...MEMBERS, Elements]))];
    const [state, data] = types as [FederatedType, FederatedType];
    const type = structOf(types.map((each, i) => ({ name: ['s', 'd'][i] ?? null, type: each })));
    const scope = [{ name: this.#name(), type }];
    const next = this.#atServer(state.member, scope, MOST_DEPTH);
    const output = this.#atServer(this.#oneOf(MEMBERS), scope, MOST_DEPTH);
    const block = lambda(scope[0]?.name ?? '', type, structBlock([next, output].map(unnamed)));
    return printable(block, types, [this.#dataOf(state, clients), this.#dataOf(data, clients)]);
  }

  computation(): ComputationCase {
    const types = PARAMETERS.filter((_, index) => index === 0 || this.#choose(2) === 1);
    const clients = 1 + this.#choose(3);
    const parameterType = structOf(types.map((type, i) => ({ name: `p${i}`, type })));
    const only = types.length === 1 ? types[0] : undefined;
    const parameter = { name: this.#name(), type: only ?? parameterType };
    const body = this.#placedBody([parameter], MOST_DEPTH);
    const args = types.map((type) => this.#dataOf(type, clients));
    return printable(lambda(parameter.name, parameter.type, body), types, args);
  }

  /** `(let … in <…,…>)` with values at both places. */
  #placedBody(outer: Scope, depth: number): BuildingBlock {
    let scope = outer;
    const locals = this.#many(2, 6, () => {
      const value = this.#anyPlaced(scope, depth);
      const name = this.#name();
      scope = [...scope, { name, type: value.type }];
      return { name, value };
    });
    // What nothing needs is dropped, so most of what was made is returned.
    const visible = visibleIn(scope).filter(({ type }) => type.kind === 'federated');
    const results = [
      ...visible.filter(() => this.#choose(3) !== 0).map(({ name, type }) => reference(name, type)),
      ...this.#many(1, 2, () => this.#anyPlaced(scope, 2)),
    ];
    return block(locals, structBlock(results.map(unnamed)));
  }

  #anyPlaced(scope: Scope, depth: number): BuildingBlock {
    const member = this.#oneOf(MEMBERS);
    switch (this.#choose(6)) {
      case 0:
      case 1:
        return this.#atServer(member, scope, depth);
      case 2:
        return this.#atClients(sequence(int32()), scope, depth);
      case 3:
        // A function that is applied to placed values: (x -> …)(…)
        return this.#calledLambda(scope, depth);
      default:
        return this.#atClients(member, scope, depth);
    }
  }

  #calledLambda(scope: Scope, depth: number): BuildingBlock {
    const argument = this.#atClients(this.#oneOf(MEMBERS), scope, depth - 1);
    const name = this.#name();
    const inner = [...scope, { name, type: argument.type }];
    return call(
      lambda(name, argument.type, this.#atServer(this.#oneOf(MEMBERS), inner, depth - 1)),
      argument,
    );
  }

  #atClients(member: Type, scope: Scope, depth: number): BuildingBlock {
    const wanted = atClients(member);
    const known = this.#known(wanted, scope);
    if (known.length > 0 && (depth <= 0 || this.#choose(3) === 0)) return this.#oneOf(known);
    if (depth <= 0) return this.#made(member, 'clients', scope);
    const inner = (of: Type): BuildingBlock => this.#atClients(of, scope, depth - 1);
    const isTensors = member.kind !== 'sequence';
    switch (this.#choose(isTensors ? 6 : 3)) {
      case 0:
        return this.#map('federated_map', member, inner(this.#mappable(member)), scope);
      case 1: {
        // An element of a zip.
        const other = inner(this.#oneOf(MEMBERS));
        const zipped = this.#zip('clients', [inner(member), other]);
        return this.#select('federated_map', zipped, 0);
      }
      case 2:
        return this.#evaluated(member, 'clients', scope);
      case 3: {
        const outer = this.#isSent;
        this.#isSent = true;
        const value = this.#atServer(member, scope, depth - 1);
        this.#isSent = outer;
        const broadcast = intrinsicCall(
          'federated_broadcast',
          value,
          atClients(member, { allEqual: true }),
        );
        if (this.#choose(3) === 0) return broadcast;
        return this.#map('federated_map_all_equal', member, broadcast, scope);
      }
      case 4:
        if (member.kind === 'struct' && member.elements.every(({ name }) => name !== null)) {
          return this.#zip(
            'clients',
            member.elements.map(({ type }) => inner(type)),
            member.elements.map(({ name }) => name),
          );
        }
        return this.#map('federated_map', member, inner(member), scope);
      default: {
        // map(f, zip(<a, b>))
        const zipped = this.#zip('clients', [inner(member), inner(this.#oneOf(MEMBERS))]);
        return this.#map('federated_map', member, zipped, scope);
      }
    }
  }

  #atServer(member: Type, scope: Scope, depth: number): BuildingBlock {
    const known = this.#known(atServer(member), scope);
    if (known.length > 0 && (depth <= 0 || this.#choose(3) === 0)) return this.#oneOf(known);
    if (depth <= 0) return this.#made(member, 'server', scope);
    const result = atServer(member);
    const choice = this.#choose(7);
    const aggregates = choice === 0 || choice === 1 || choice === 4;
    switch (aggregates && this.#isRound && this.#isSent ? 6 : choice) {
      case 0:
      case 1: {
        const uri = this.#oneOf(['federated_sum', 'federated_min', 'federated_max']);
        const total = intrinsicCall(uri, this.#atClients(member, scope, depth - 1), result);
        if (this.#choose(3) !== 0) return total;
        // let f = federated_sum in f(x)
        const name = 'aggregation';
        return block(
          [{ name, value: total.function }],
          call(reference(name, total.function.type), total.argument),
        );
      }
      case 2:
      case 3: {
        const value = this.#atServer(this.#oneOf(MEMBERS), scope, depth - 1);
        return this.#map('federated_apply', member, value, scope);
      }
      case 4: {
        const float = this.#oneOf(FLOATS);
        const value = this.#atClients(float, scope, depth - 1);
        const mean =
          this.#choose(2) === 0
            ? intrinsicCall('federated_mean', value, atServer(float))
            : this.#weightedMean(value, float, scope, depth - 1);
        return call2('federated_apply', convert(float, member), mean, result);
      }
      case 5: {
        const zipped = this.#zip('server', [
          this.#atServer(member, scope, depth - 1),
          this.#atServer(this.#oneOf(MEMBERS), scope, depth - 1),
        ]);
        return this.#choose(2) === 0
          ? this.#select('federated_apply', zipped, 0)
          : this.#map('federated_apply', member, zipped, scope);
      }
      default: {
        const value = this.#unplaced(member, onlyTensors(scope), 1);
        return intrinsicCall('federated_value_at_server', value, result);
      }
    }
  }

  #weightedMean(value: BuildingBlock, float: Type, scope: Scope, depth: number): BuildingBlock {
    const source = this.#atClients(this.#oneOf(MEMBERS), scope, depth);
    const { member } = source.type as FederatedType;
    const weight = call2(
      'federated_map',
      positive(member, float32()),
      source,
      atClients(float32()),
    );
    return call2('federated_weighted_mean', value, weight, atServer(float));
  }

  /** Made of any value that there is, or of nothing. */
  #made(member: Type, placement: 'clients' | 'server', scope: Scope): BuildingBlock {
    const sources = this.#parts(scope).filter(
      ({ type }) => type.kind === 'federated' && type.placement === placement,
    );
    if (sources.length === 0 || member.kind === 'sequence' || this.#choose(5) === 0) {
      return this.#evaluated(member, placement, scope);
    }
    const uri = placement === 'server' ? 'federated_apply' : 'federated_map';
    return this.#map(uri, member, this.#oneOf(sources), scope);
  }

  #evaluated(member: Type, placement: 'clients' | 'server', scope: Scope): BuildingBlock {
    const body = this.#unplaced(member, onlyTensors(scope), 1);
    const fn = this.#choose(3) === 0 && isTensors(member) ? constant(member) : null;
    const type = federated(member, placement, placement === 'server');
    return intrinsicCall(`federated_eval_at_${placement}`, fn ?? lambda(null, null, body), type);
  }

  #map(uri: string, member: Type, value: BuildingBlock, scope: Scope): BuildingBlock {
    const { member: from, placement, allEqual } = value.type as FederatedType;
    const fn = this.#mapper(from, member, onlyTensors(scope));
    return call2(uri, fn, value, federated(member, placement, allEqual && uri !== 'federated_map'));
  }

  #mapper(from: Type, to: Type, scope: Scope): BuildingBlock {
    if (isIdentical(from, to) && this.#choose(4) === 0) {
      const name = this.#name();
      return lambda(name, from, reference(name, from));
    }
    if (isTensors(from) && isTensors(to) && this.#choose(2) === 0) {
      return isIdentical(from, to) ? stretch(from) : convert(from, to);
    }
    const name = this.#name();
    const inner = [...scope.filter((bound) => bound.name !== name), { name, type: from }];
    return lambda(name, from, this.#unplaced(to, inner, 2));
  }

  /** What a map to this member may start from. */
  #mappable(member: Type): Type {
    if (member.kind === 'sequence') return member;
    return this.#choose(3) === 0 ? sequence(int32()) : this.#oneOf(MEMBERS);
  }

  #zip(
    placement: 'clients' | 'server',
    values: readonly BuildingBlock[],
    names: readonly (string | null)[] = [],
  ): BuildingBlock {
    const argument = structBlock(values.map((value, i) => ({ name: names[i] ?? null, value })));
    const member = structOf(
      values.map(({ type }, i) => ({
        name: names[i] ?? null,
        type: (type as FederatedType).member,
      })),
    );
    const type = federated(member, placement, placement === 'server');
    return intrinsicCall(`federated_zip_at_${placement}`, argument, type);
  }

  #select(uri: string, value: BuildingBlock, index: number): BuildingBlock {
    const { member, placement, allEqual } = value.type as FederatedType;
    const name = this.#name();
    const fn = lambda(name, member, selection(reference(name, member), index));
    return call2(uri, fn, value, federated(fn.type.result, placement, allEqual));
  }

  /** An expression without placement. */
  #unplaced(type: Type, scope: Scope, depth: number): BuildingBlock {
    const known = this.#known(type, scope);
    if (known.length > 0 && (depth <= 0 || this.#choose(2) === 0)) return this.#oneOf(known);
    if (type.kind === 'sequence') return this.#sequence(type, scope, depth);
    if (depth <= 0) return this.#literal(type);
    const inner = (of: Type): BuildingBlock => this.#unplaced(of, scope, depth - 1);
    const [elements] = this.#known(sequence(int32()), scope);
    if (elements !== undefined && this.#choose(2) === 0) {
      return call(convert(int32(), type), this.#reduction(elements, scope, depth));
    }
    switch (this.#choose(8)) {
      case 0:
        return this.#literal(type);
      case 1:
        return call(stretch(type), inner(type));
      case 2:
        return call(add(type), structBlock([inner(type), inner(type)].map(unnamed)));
      case 3: {
        const from = this.#oneOf(MEMBERS);
        return call(convert(from, type), inner(from));
      }
      case 4: {
        const name = this.#name();
        const value = inner(this.#oneOf(MEMBERS));
        const visible = [...scope, { name, type: value.type }];
        return block([{ name, value }], this.#unplaced(type, visible, depth - 1));
      }
      case 5: {
        const argument = inner(this.#oneOf(MEMBERS));
        const name = this.#name();
        const visible = [...scope, { name, type: argument.type }];
        return call(
          lambda(name, argument.type, this.#unplaced(type, visible, depth - 1)),
          argument,
        );
      }
      default:
        if (type.kind !== 'struct') return call(stretch(type), inner(type));
        return structBlock(
          type.elements.map(({ name, type: element }) => ({ name, value: inner(element) })),
        );
    }
  }

  #sequence(type: SequenceType, scope: Scope, depth: number): BuildingBlock {
    if (depth <= 0) return literal(toMaterialized([1, 2, 3], type, 'a literal'), type);
    const source = this.#unplaced(type, scope, depth - 1);
    const fn = this.#choose(2) === 0 ? stretch(type.element) : this.#step(type.element, scope);
    return call2('sequence_map', fn, source, type);
  }

  #step(type: Type, scope: Scope): BuildingBlock {
    const name = this.#name();
    const inner = [...onlyTensors(scope).filter((b) => b.name !== name), { name, type }];
    return lambda(name, type, this.#unplaced(type, inner, 1));
  }

  #reduction(source: BuildingBlock, scope: Scope, depth: number): BuildingBlock {
    const type = source.type as SequenceType;
    const mapped = this.#sequence(type, scope, Math.min(depth, this.#choose(3)));
    const from = this.#choose(2) === 0 ? source : mapped;
    if (this.#choose(2) === 0) return intrinsicCall('sequence_sum', from, type.element);
    const zero = this.#literal(type.element);
    const argument = structBlock([from, zero, add(type.element)].map(unnamed));
    return call(intrinsic('sequence_reduce', func(argument.type, type.element)), argument);
  }

  #literal(type: Type): BuildingBlock {
    return literal(toMaterialized(this.#dataOf(type, 1), type, 'a literal'), type);
  }

  /** Names, and what can be selected from them, that have exactly this type. */
  #known(type: Type, scope: Scope): readonly BuildingBlock[] {
    return this.#parts(scope).filter((node) => isIdentical(node.type, type));
  }

  #parts(scope: Scope): readonly BuildingBlock[] {
    const parts = (node: BuildingBlock): BuildingBlock[] => [
      node,
      ...(node.type.kind === 'struct'
        ? node.type.elements.flatMap((_, i) => parts(selection(node, i)))
        : []),
    ];
    return visibleIn(scope).flatMap((bound) => parts(reference(bound.name, bound.type)));
  }

  #dataOf(type: Type, clients: number): unknown {
    switch (type.kind) {
      case 'tensor': {
        if (type.shape?.length === 0) return this.#choose(7) - 3;
        return Array.from({ length: type.shape?.[0] ?? 2 }, () => this.#choose(7) - 3);
      }
      case 'struct': {
        const members = type.elements.map((element) => this.#dataOf(element.type, clients));
        if (type.elements.every(({ name }) => name === null)) return members;
        return Object.fromEntries(members.map((each, i) => [type.elements[i]?.name ?? i, each]));
      }
      case 'sequence':
        return this.#many(0, 3, () => this.#dataOf(type.element, clients));
      case 'federated':
        return type.allEqual
          ? this.#dataOf(type.member, clients)
          : Array.from({ length: clients }, () => this.#dataOf(type.member, clients));
      default:
        throw new Error(`No data for ${String(type)}.`);
    }
  }

  #name(): string {
    return this.#oneOf(NAMES);
  }

  #many<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: least + this.#choose(most - least + 1) }, make);
  }

  #oneOf<T>(options: readonly T[]): T {
    return options[this.#choose(options.length)] as T;
  }

  #choose(options: number): number {
    const choice = this.#choices[this.#next++] ?? 0;
    return choice % options;
  }
}

/** Long lists of numbers without preference, since a preference for small ones makes few programs. */
function choiceLists(): fc.Arbitrary<readonly number[]> {
  return fc.noBias(fc.array(fc.nat(5039), { minLength: 1, maxLength: 400, size: 'max' }));
}

function printable(
  node: Lambda,
  parameters: readonly Type[],
  args: readonly unknown[],
): ComputationCase {
  const print = (): string => `${printBlock(node)}\n  of ${JSON.stringify(args)}`;
  return { block: node, parameters, args, [fc.toStringMethod]: print };
}

/** The innermost binding of each name hides the others. */
function visibleIn(scope: Scope): Scope {
  return scope.filter((bound, i) => scope.findLastIndex(({ name }) => name === bound.name) === i);
}

/** What a function that is handed on may capture. */
function onlyTensors(scope: Scope): Scope {
  return visibleIn(scope).filter(({ type }) => isTensors(type));
}

function isTensors(type: Type): boolean {
  return (
    type.kind === 'tensor' ||
    (type.kind === 'struct' && type.elements.every((element) => isTensors(element.type)))
  );
}
