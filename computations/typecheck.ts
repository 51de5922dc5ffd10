/**
 * @file Checks a building block that was not built here: it is built anew from its leaves through
 * the constructors, and every type that it states is compared with the one that follows.
 */

import {
  type Block,
  type BuildingBlock,
  block,
  type Compiled,
  call,
  type Lambda,
  type Literal,
  lambda,
  placement,
  reference,
  selection,
  structBlock,
} from './building-blocks.ts';
import { parameterTypes, resultTypes } from './tensors/graph.ts';
import { type GraphLimits, typecheckGraph } from './tensors/typecheck.ts';
import {
  compactNotation,
  FederatedTypeError,
  GraphError,
  isAssignable,
  isIdentical,
  type MaterializedValue,
  type TensorType,
  type Type,
  toMaterialized,
  ValueError,
} from './types/index.ts';

export interface TypecheckOptions {
  /** Throws unless the intrinsic has the type. Without it, intrinsics of any type pass. */
  readonly intrinsicTypeRule?: (uri: string, type: Type) => void;
  /** What each kernel graph may cost. */
  readonly graphLimits?: Partial<GraphLimits>;
}

/**
 * Throws unless a building block is closed and well-typed.
 * @throws FederatedTypeError `type.unbound_reference` for a name that nothing binds,
 *   `type.not_assignable` for a stated type that does not follow, or what the constructors throw.
 * @throws GraphError if a compiled computation does not have the type that it states, or what
 *   `typecheckGraph` throws for a graph that may not run.
 * @throws ValueError if a literal does not have its type.
 */
export function typecheckBlock(node: BuildingBlock, options: TypecheckOptions = {}): void {
  check(node, new Scope(), options);
}

/** The names in scope. Inner bindings are pushed and popped, so that entering a scope costs nothing. */
class Scope {
  readonly #bound = new Map<string, Type[]>();

  typeOf(name: string): Type | undefined {
    return this.#bound.get(name)?.at(-1);
  }

  push(name: string, type: Type): void {
    const types = this.#bound.get(name);
    if (types === undefined) this.#bound.set(name, [type]);
    else types.push(type);
  }

  pop(name: string): void {
    this.#bound.get(name)?.pop();
  }
}

/** The node built anew, with the types that follow. */
function check(node: BuildingBlock, scope: Scope, options: TypecheckOptions): BuildingBlock {
  const built = rebuild(node, scope, options);
  if (!isIdentical(built.type, node.type)) {
    const expected = compactNotation(built.type);
    const given = compactNotation(node.type);
    throw new FederatedTypeError(
      'type.not_assignable',
      `A ${node.kind} states a type that it does not have.\n  expected: ${expected}\n  given:    ${given}`,
      { expected, given },
    );
  }
  return built;
}

function rebuild(node: BuildingBlock, scope: Scope, options: TypecheckOptions): BuildingBlock {
  switch (node.kind) {
    case 'reference':
      return resolve(node.name, scope);
    case 'selection':
      return selection(check(node.source, scope, options), node.index);
    case 'struct':
      return structBlock(
        node.elements.map(({ name, value }) => ({ name, value: check(value, scope, options) })),
      );
    case 'call': {
      const fn = check(node.function, scope, options);
      return call(fn, node.argument === null ? null : check(node.argument, scope, options));
    }
    case 'lambda':
      return rebuildLambda(node, scope, options);
    case 'block':
      return rebuildBlock(node, scope, options);
    case 'intrinsic':
      options.intrinsicTypeRule?.(node.uri, node.type);
      return node;
    case 'compiled':
      typecheckGraph(node.graph, options.graphLimits);
      requireGraphType(node);
      return node;
    case 'literal':
      requireLiteralType(node);
      return node;
    case 'data':
      return node;
    case 'placement':
      return placement(node.uri);
  }
}

function resolve(name: string, scope: Scope): BuildingBlock {
  const type = scope.typeOf(name);
  if (type !== undefined) return reference(name, type);
  throw new FederatedTypeError(
    'type.unbound_reference',
    `Nothing binds the name ${JSON.stringify(name.slice(0, 100))} where it is used.`,
  );
}

function rebuildLambda(node: Lambda, scope: Scope, options: TypecheckOptions): BuildingBlock {
  // What comes from outside may state any type.
  const stated: Type = node.type;
  if (stated.kind !== 'function' || (stated.parameter === null) !== (node.parameter === null)) {
    throw new FederatedTypeError(
      'type.wrong_kind',
      `A lambda ${node.parameter === null ? 'without parameter' : `of ${node.parameter}`} cannot have type ${compactNotation(stated)}.`,
    );
  }
  if (node.parameter === null || stated.parameter === null) {
    return lambda(null, null, check(node.result, scope, options));
  }
  scope.push(node.parameter, stated.parameter);
  const result = check(node.result, scope, options);
  scope.pop(node.parameter);
  return lambda(node.parameter, stated.parameter, result);
}

function rebuildBlock(node: Block, scope: Scope, options: TypecheckOptions): BuildingBlock {
  const locals = node.locals.map(({ name, value }) => {
    const built = check(value, scope, options);
    scope.push(name, built.type);
    return { name, value: built };
  });
  const result = check(node.result, scope, options);
  for (const { name } of locals) scope.pop(name);
  return block(locals, result);
}

/** The leaves of the stated type must be the parameters and the results of the graph. */
function requireGraphType({ name, graph, type }: Compiled): void {
  const stated: Type = type;
  if (stated.kind !== 'function') throw graphMismatch(name, 'it is no function');
  const given = stated.parameter === null ? [] : leaves(stated.parameter, name);
  const taken = parameterTypes(graph);
  // A graph may take more than its type says, and give less; sizes that it leaves open may be known.
  if (given.length !== taken.length || !given.every((leaf, i) => fits(taken[i], leaf))) {
    throw graphMismatch(name, `its graph takes <${taken.join(',')}>, not <${given.join(',')}>`);
  }
  const promised = leaves(stated.result, name);
  const results = resultTypes(graph);
  if (promised.length !== results.length || !promised.every((leaf, i) => fits(leaf, results[i]))) {
    throw graphMismatch(
      name,
      `its graph gives <${results.join(',')}>, not <${promised.join(',')}>`,
    );
  }
}

function fits(target: Type | undefined, source: Type | undefined): boolean {
  return target !== undefined && source !== undefined && isAssignable(target, source);
}

function leaves(type: Type, name: string): readonly TensorType[] {
  if (type.kind === 'tensor') return [type];
  if (type.kind === 'struct') return type.elements.flatMap((each) => leaves(each.type, name));
  throw graphMismatch(name, `${compactNotation(type)} is neither a tensor nor a struct of tensors`);
}

function graphMismatch(name: string, problem: string): GraphError {
  return new GraphError(
    'graph.type_mismatch',
    `The tensor computation ${name} does not have the type that it states: ${problem}.`,
  );
}

function requireLiteralType({ value, type }: Literal): void {
  const requireType = (part: MaterializedValue, partType: Type): void => {
    if (part.kind === 'tensor' && partType.kind === 'tensor') {
      toMaterialized(part, partType, 'A literal');
    } else if (part.kind === 'struct' && partType.kind === 'struct') {
      if (part.elements.length !== partType.elements.length) throw literalMismatch(partType);
      partType.elements.forEach((element, i) => {
        requireType(part.elements[i] as MaterializedValue, element.type);
      });
    } else if (part.kind === 'sequence' && partType.kind === 'sequence') {
      // A sequence that is produced lazily is checked where it is consumed.
      if (!Array.isArray(part.elements)) return;
      for (const element of part.elements) requireType(element, partType.element);
    } else {
      throw literalMismatch(partType);
    }
  };
  requireType(value, type);
}

function literalMismatch(type: Type): ValueError {
  return new ValueError(
    'value.wrong_structure',
    `A literal does not have the structure of its type ${compactNotation(type)}.`,
  );
}
