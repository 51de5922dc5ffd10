/**
 * @file Random well-typed computations over clients and server, in which the way from a value to
 * the intrinsic that takes it is as roundabout as the language allows.
 */

import fc from 'fast-check';
import {
  type BuildingBlock,
  block,
  call,
  type Intrinsic,
  intrinsic,
  type Lambda,
  lambda,
  literal,
  reference,
  selection,
  structBlock,
} from '../../../computations/building-blocks.ts';
import {
  atClients,
  atServer,
  containsType,
  type FederatedType,
  federated,
  float32,
  func,
  isIdentical,
  sequence,
  structOf,
  type Type,
} from '../../../computations/types/index.ts';
import { int, intLiteral, unnamed, unnamedValue } from '../../executors/blocks.ts';
import { clientType, type Draw, INT, PAIR } from './random-data.ts';
import {
  capturable,
  isSummable,
  KEYS,
  randomFunction,
  references,
  TO_FLOAT,
} from './random-functions.ts';

export interface RandomComputation {
  readonly block: Lambda;
  /** Members of the clients' parameters, by their names. */
  readonly clients: { readonly [name: string]: Type };
}

/** Takes `<a={…}@CLIENTS,b={…}@CLIENTS,s=int32@SERVER,e=int32@CLIENTS>` and returns a named struct. */
export function randomComputation(draw: Draw): RandomComputation {
  const clients = { a: clientType(draw), b: clientType(draw) };
  const parameter = structOf([
    { name: 'a', type: atClients(clients.a) },
    { name: 'b', type: atClients(clients.b) },
    { name: 's', type: atServer(INT) },
    { name: 'e', type: atClients(INT, { allEqual: true }) },
  ]);
  const program = new Program(draw, parameter);
  const steps = 3 + draw(fc.nat, { max: 7 });
  for (let i = 0; i < steps; i++) program.step();
  return { block: program.finish(), clients };
}

class Program {
  readonly #draw: Draw;
  readonly #parameter: Type;
  readonly #locals: { name: string; value: BuildingBlock }[] = [];
  readonly #scope = new Map<string, Type>();
  #line = 0;

  constructor(draw: Draw, parameter: Extract<Type, { kind: 'struct' }>) {
    this.#draw = draw;
    this.#parameter = parameter;
    parameter.elements.forEach(({ name }, index) => {
      this.#bind(selection(reference('arg', parameter), index), name ?? undefined);
    });
  }

  step(): void {
    const steps = [
      () => this.#map(),
      () => this.#map(),
      () => this.#aggregate(),
      () => this.#sum(),
      () => this.#sum(),
      () => this.#mean(),
      () => this.#select(),
      () => this.#broadcast(),
      () => this.#apply(),
      () => this.#zip(),
      () => this.#place(),
      () => this.#unplaced(),
    ];
    const value = this.#draw(fc.constantFrom, ...steps)();
    if (value !== null) this.#bind(value);
  }

  finish(): Lambda {
    const values = references(this.#scope);
    const chosen = this.#draw(fc.subarray, values, { minLength: 1, maxLength: 4 });
    const result = structBlock(chosen.map((value, i) => ({ name: `r${i}`, value })));
    return lambda('arg', this.#parameter, block(this.#locals, result));
  }

  #map(): BuildingBlock | null {
    const value = this.#some(isAt('clients'));
    if (value === null) return null;
    const { member, allEqual } = value.type as FederatedType;
    const captured = capturable(this.#scope);
    const fn = randomFunction(this.#draw, member, { captured, sequences: true });
    const result = fn.type.result;
    // Data that the clients find by name is not all-equal, whatever was mapped.
    const keepsEqual = allEqual && this.#draw(fc.boolean);
    return this.#call(
      keepsEqual ? 'federated_map_all_equal' : 'federated_map',
      [this.#roundabout(fn), value],
      federated(result, 'clients', keepsEqual),
      keepsEqual,
    );
  }

  #apply(): BuildingBlock | null {
    const value = this.#some(isAt('server'));
    if (value === null) return null;
    const captured = capturable(this.#scope);
    const { member } = value.type as FederatedType;
    const fn = randomFunction(this.#draw, member, { captured, sequences: true });
    return this.#call('federated_apply', [fn, value], atServer(fn.type.result));
  }

  #aggregate(): BuildingBlock | null {
    const value = this.#some(isAt('clients'));
    if (value === null) return null;
    const { member } = value.type as FederatedType;
    if (containsType(member, ({ kind }) => kind === 'sequence')) return null;
    const pair = (element: Type): Type => structOf([unnamed(INT), unnamed(element)]);
    const step = randomFunction(this.#draw, pair(member), { toInteger: true });
    const merge = randomFunction(this.#draw, pair(INT), { toInteger: true });
    const report = randomFunction(this.#draw, INT);
    const args = [value, intLiteral(0), step, merge, report];
    return this.#call('federated_aggregate', args, atServer(report.type.result));
  }

  #sum(): BuildingBlock | null {
    const value = this.#some(isAt('clients'));
    if (value === null) return null;
    const { member } = value.type as FederatedType;
    if (isSummable(member) && this.#draw(fc.boolean)) return this.#sumOf(value, member);
    const fn = randomFunction(this.#draw, member, { toInteger: true });
    return this.#sumOf(this.#call('federated_map', [fn, value], atClients(INT)), INT);
  }

  #sumOf(value: BuildingBlock, member: Type): BuildingBlock {
    const [uri, bound] = this.#draw(
      fc.constantFrom<(readonly [string, number] | readonly [string, null])[]>,
      ['federated_sum', null],
      ['federated_min', null],
      ['federated_max', null],
      ['federated_secure_sum', 2 ** 30],
      ['federated_secure_sum_bitwidth', 30],
      ['federated_secure_modular_sum', 89],
    );
    const args = bound === null ? [value] : [value, literal(int(bound), INT)];
    return this.#call(uri, args, atServer(member));
  }

  #mean(): BuildingBlock | null {
    const value = this.#some((type) => isIdentical(type, atClients(INT)));
    if (value === null) return null;
    const floats = this.#call('federated_map', [TO_FLOAT, value], atClients(float32()));
    return this.#call('federated_mean', [floats], atServer(float32()));
  }

  #select(): BuildingBlock | null {
    const value = this.#some((type) => isIdentical(type, atClients(INT)));
    const source = this.#some(isAt('server'));
    if (value === null || source === null) return null;
    const keys = this.#call('federated_map', [KEYS, value], atClients(PAIR));
    const most = this.#call('federated_value_at_server', [intLiteral(2)], atServer(INT));
    const { member } = source.type as FederatedType;
    if (containsType(member, ({ kind }) => kind === 'sequence')) return null;
    const slice = randomFunction(this.#draw, structOf([unnamed(member), unnamed(INT)]));
    const uri = this.#draw(fc.constantFrom, 'federated_select', 'federated_secure_select');
    const rows = atClients(sequence(slice.type.result));
    return this.#call(uri, [keys, most, source, slice], rows);
  }

  #broadcast(): BuildingBlock | null {
    const value = this.#some(isAt('server'));
    if (value === null) return null;
    const { member } = value.type as FederatedType;
    return this.#call('federated_broadcast', [value], atClients(member, { allEqual: true }));
  }

  #zip(): BuildingBlock | null {
    const placement = this.#draw(fc.constantFrom, 'clients', 'server');
    const values = [this.#some(isAt(placement)), this.#some(isAt(placement))];
    const [a, b] = values;
    if (!a || !b) return null;
    const argument = structBlock([{ name: 'x', value: a }, unnamedValue(b)]);
    const member = structOf([
      { name: 'x', type: (a.type as FederatedType).member },
      unnamed((b.type as FederatedType).member),
    ]);
    return this.#callOn(
      `federated_zip_at_${placement}`,
      argument,
      federated(member, placement, placement === 'server'),
    );
  }

  #place(): BuildingBlock | null {
    const placement = this.#draw(fc.constantFrom, 'clients', 'server');
    if (this.#draw(fc.boolean)) {
      const fn = randomFunction(this.#draw, null, { captured: capturable(this.#scope) });
      const result = federated(fn.type.result, placement, placement === 'server');
      return this.#call(`federated_eval_at_${placement}`, [fn], result);
    }
    const value = this.#some((type) => isIdentical(type, INT)) ?? intLiteral(4);
    return this.#call(`federated_value_at_${placement}`, [value], federated(INT, placement, true));
  }

  #unplaced(): BuildingBlock {
    const fn = randomFunction(this.#draw, null, { captured: capturable(this.#scope), depth: 1 });
    return this.#draw(fc.boolean) ? call(fn) : fn.result;
  }

  #some(fits: (type: Type) => boolean): BuildingBlock | null {
    const values = references(this.#scope).filter(({ type }) => fits(type));
    // Younger values first, so that chains get long.
    const found =
      values.length === 0 ? null : this.#draw(fc.constantFrom, ...values, ...values.slice(-2));
    return found;
  }

  #bind(value: BuildingBlock, as?: string): BuildingBlock {
    const name = as ?? this.#draw(fc.constantFrom, 'a', 'v', 'w', `v${this.#locals.length}`);
    this.#locals.push({ name, value });
    // Removing it first makes it the youngest.
    this.#scope.delete(name);
    this.#scope.set(name, value.type);
    return reference(name, value.type);
  }

  #call(
    uri: string,
    args: readonly BuildingBlock[],
    result: Type,
    keepAllEqual = false,
  ): BuildingBlock {
    const [only] = args;
    const argument = args.length === 1 && only ? only : structBlock(args.map(unnamedValue));
    return this.#callOn(uri, argument, result, keepAllEqual);
  }

  #callOn(uri: string, argument: BuildingBlock, result: Type, keepAllEqual = false): BuildingBlock {
    const parameter = keepAllEqual ? argument.type : withoutAllEqual(argument.type);
    this.#line += 1;
    const source = { file: 'random', line: this.#line, column: 1 };
    const node: Intrinsic = { ...intrinsic(uri, func(parameter, result)), source };
    return call(this.#roundabout(node), argument);
  }

  /** The same function, said in another way. */
  #roundabout(fn: BuildingBlock): BuildingBlock {
    const { type } = fn;
    if (type.kind !== 'function' || type.parameter === null) return fn;
    switch (this.#draw(fc.nat, { max: 8 })) {
      case 0:
        return block([{ name: 'f', value: fn }], reference('f', type));
      case 1:
        return selection(structBlock([unnamedValue(intLiteral(1)), unnamedValue(fn)]), 1);
      case 2:
        return lambda('z', type.parameter, call(fn, reference('z', type.parameter)));
      case 3:
        return call(lambda('g', type, reference('g', type)), fn);
      default:
        return fn;
    }
  }
}

function isAt(placement: string): (type: Type) => boolean {
  return (type) => type.kind === 'federated' && type.placement === placement;
}

function withoutAllEqual(type: Type): Type {
  if (type.kind === 'struct') {
    return structOf(
      type.elements.map(({ name, type: element }) => ({ name, type: withoutAllEqual(element) })),
    );
  }
  return type.kind === 'federated' && type.placement === 'clients' ? atClients(type.member) : type;
}
