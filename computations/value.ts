/**
 * @file Values inside the body of a computation: proxies around building blocks. Selecting an
 * element of a placed struct becomes a map of that selection, as in TensorFlow Federated.
 */

import {
  type BuildingBlock,
  call,
  intrinsic,
  lambda,
  literal,
  reference,
  selection,
  structBlock,
} from './building-blocks.ts';
import type { AnyComputation, Operand, Value } from './computation.ts';
import { currentTrace, type FederatedTrace } from './trace.ts';
import {
  compactNotation,
  containsType,
  type FederatedType,
  FederatedTypeError,
  federated,
  func,
  inferType,
  type StructElement,
  type StructType,
  structOf,
  TraceError,
  type Type,
  toMaterialized,
} from './types/index.ts';

const BLOCK = Symbol('fedloom.block');
const TRACE = Symbol('fedloom.trace');
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** A value for a building block that belongs to a trace. */
export function makeValue<T extends Type>(node: BuildingBlock, trace: FederatedTrace): Operand<T> {
  // Node inspects the target of a proxy, not the proxy.
  const target = Object.create(null, {
    [INSPECT]: { value: () => describe(node.type), configurable: true },
  });
  return new Proxy(target, handlerOf(node, trace)) as Operand<T>;
}

/**
 * Binds a building block in the current trace and returns a value for it.
 * @param what names the caller in the message if nothing is being traced.
 */
export function bindValue<T extends Type>(node: BuildingBlock, what: string): Operand<T> {
  const trace = currentTrace(what);
  return makeValue(trace.bind(node), trace);
}

export function isValue(candidate: unknown): candidate is Value {
  return typeof candidate === 'object' && candidate !== null && BLOCK in candidate;
}

/** The type of a value inside a body, at run time. */
export function typeOf(value: Value): Type {
  return blockOf(value).type;
}

/**
 * The building block that something in a body stands for: a value, a computation, data, or an
 * object or array of these.
 * @param expected type that data is converted to; without it the type is inferred.
 * @throws TraceError `trace.leaked_tracer` for a value of another body.
 */
export function toBlock(source: unknown, what: string, expected?: Type): BuildingBlock {
  if (isValue(source)) {
    const trace = traceOf(source);
    if (trace !== currentTrace(what)) {
      throw new TraceError(
        'trace.leaked_tracer',
        `${what} is a value of the body of '${trace.name}', used outside of it. Pass it as a parameter instead of capturing it.`,
      );
    }
    return blockOf(source);
  }
  if (isComputation(source)) return source.buildingBlock;
  if (isPlainStruct(source) && containsValue(source)) {
    const isArray = Array.isArray(source);
    const types = expected?.kind === 'struct' ? expected.elements : [];
    return structBlock(
      membersInOrder(source, types).map(([key, member], index) => ({
        name: isArray ? null : key,
        value: toBlock(member, `${what}${isArray ? `[${key}]` : `.${key}`}`, types[index]?.type),
      })),
    );
  }
  // A literal has no placement; where one is expected, the type error says how to place it.
  const isLiteral = expected !== undefined && !containsType(expected, isNoLiteral);
  const type = isLiteral ? expected : inferType(source, what);
  return literal(toMaterialized(source, type, what), type);
}

/** Throws if data for a computation contains a value of a body: outside of it, that has no content. */
export function requireNoValue(source: unknown, what: string): void {
  const value = findValue(source);
  if (value === undefined) return;
  throw new TraceError(
    'trace.leaked_tracer',
    `${what} is a value of the body of '${traceOf(value).name}', used after that body has returned.`,
  );
}

/** True if something is a value, or contains one. */
export function containsValue(source: unknown): boolean {
  if (isValue(source) || isComputation(source)) return true;
  return isPlainStruct(source) && Object.values(source).some(containsValue);
}

export function isComputation(candidate: unknown): candidate is AnyComputation {
  return typeof candidate === 'function' && 'buildingBlock' in candidate;
}

/** A call that selects one element of a struct that is placed, at the place where it is. */
export function federatedSelection(source: BuildingBlock, which: number | string): BuildingBlock {
  const placed = source.type as FederatedType<StructType>;
  const parameter = reference('arg', placed.member);
  const selector = lambda('arg', placed.member, selection(parameter, which));
  const result = federated(selector.type.result, placed.placement, placed.allEqual);
  const uri =
    placed.placement === 'server'
      ? 'federated_apply'
      : placed.allEqual
        ? 'federated_map_all_equal'
        : 'federated_map';
  const argument = structOf([
    { name: null, type: selector.type },
    { name: null, type: placed },
  ]);
  return call(
    intrinsic(uri, func(argument, result)),
    structBlock([
      { name: null, value: selector },
      { name: null, value: source },
    ]),
  );
}

function blockOf(value: Value): BuildingBlock {
  return (value as unknown as { readonly [BLOCK]: BuildingBlock })[BLOCK];
}

function traceOf(value: Value): FederatedTrace {
  return (value as unknown as { readonly [TRACE]: FederatedTrace })[TRACE];
}

function findValue(source: unknown): Value | undefined {
  if (isValue(source)) return source;
  if (!isPlainStruct(source)) return undefined;
  // Large arrays of numbers are data; their first element tells.
  const members = Array.isArray(source) ? source.slice(0, 8) : Object.values(source);
  for (const member of members) {
    const found = findValue(member);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The members of an object in the order of the elements of a struct type that has the same names. */
function membersInOrder(
  source: { readonly [key: string]: unknown } | readonly unknown[],
  elements: readonly StructElement[],
): [string, unknown][] {
  const members = Object.entries(source);
  if (Array.isArray(source) || members.length !== elements.length) return members;
  const byName = new Map(members);
  const ordered = elements.flatMap(({ name }): [string, unknown][] =>
    name !== null && byName.has(name) ? [[name, byName.get(name)]] : [],
  );
  return ordered.length === members.length ? ordered : members;
}

function isNoLiteral({ kind }: Type): boolean {
  return kind === 'federated' || kind === 'function' || kind === 'placement' || kind === 'abstract';
}

function isPlainStruct(
  source: unknown,
): source is { readonly [key: string]: unknown } | readonly unknown[] {
  if (Array.isArray(source)) return true;
  if (typeof source !== 'object' || source === null) return false;
  const prototype: unknown = Object.getPrototypeOf(source);
  return prototype === Object.prototype || prototype === null;
}

function describe(type: Type): string {
  return `Value(${compactNotation(type)})`;
}

// Asked of any object by promises, inspectors and test frameworks; not a mistake of the user.
const PROBED = new Set([
  'then',
  'toJSON',
  'constructor',
  'asymmetricMatch',
  'nodeType',
  'tagName',
  '$$typeof',
  'length',
]);

function handlerOf(node: BuildingBlock, trace: FederatedTrace): ProxyHandler<object> {
  const { type } = node;
  const struct =
    type.kind === 'struct'
      ? type
      : type.kind === 'federated' && type.member.kind === 'struct'
        ? type.member
        : null;
  const select = (which: number | string): unknown => {
    if (type.kind === 'struct') return makeValue(selection(node, which), trace);
    return makeValue(trace.bind(federatedSelection(node, which)), trace);
  };

  return {
    has: (_target, key) =>
      key === BLOCK ||
      key === TRACE ||
      (struct?.elements.some((element) => element.name === key) ?? false),
    // So that a struct can be spread: { ...model, rounds }.
    ownKeys: () => struct?.elements.map(({ name }, index) => name ?? String(index)) ?? [],
    getOwnPropertyDescriptor(_target, key) {
      const has = struct?.elements.some(({ name }, i) => (name ?? String(i)) === key) ?? false;
      // The value is read through get(), which for a placed struct binds a call.
      return has ? { value: undefined, enumerable: true, configurable: true } : undefined;
    },
    getPrototypeOf: () => null,
    set() {
      throw new TraceError(
        'trace.side_effect',
        `A value inside a body cannot be changed (${describe(type)}).`,
      );
    },
    get(_target, key) {
      if (key === BLOCK) return node;
      if (key === TRACE) return trace;
      if (key === Symbol.toPrimitive) {
        return () => {
          throw new TraceError(
            'trace.value_dependent',
            `${describe(type)} has no content while the computation is traced, so it cannot be compared, added or printed as a number. Compute on it in a tensorComputation and apply that with federatedMap.`,
          );
        };
      }
      if (key === Symbol.iterator && struct !== null) {
        return () => struct.elements.map((_, index) => select(index))[Symbol.iterator]();
      }
      if (key === INSPECT || key === 'toString') return () => describe(type);
      if (typeof key === 'symbol') return undefined;
      if (struct?.elements.some((element) => element.name === key)) return select(key);
      if (struct !== null && key === 'length') return struct.elements.length;
      if (struct !== null && /^\d+$/.test(key)) return select(Number(key));
      if (PROBED.has(key)) return undefined;
      throw new FederatedTypeError('type.wrong_kind', `${describe(type)} has no element '${key}'.`);
    },
  };
}
