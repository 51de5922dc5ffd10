/**
 * @file Runs a building block on facts instead of data. It follows what an executor does: calls are
 * made in the order of the syntax, locals whether used or not, functions where they are called. So
 * it does not matter how an intrinsic reaches its argument: by name, as an argument, in a struct.
 */

import type {
  Block,
  BuildingBlock,
  Call,
  Compiled,
  Data,
  Lambda,
} from '../../computations/building-blocks.ts';
import { FederatedTypeError, type StructType, type Type } from '../../computations/types/index.ts';
import {
  asFunctionFact,
  constantFact,
  type Fact,
  type FunctionFact,
  factOf,
  PUBLIC_TENSOR,
  structElements,
  type TensorFact,
} from './facts.ts';
import { dependenciesOf } from './kernel-dependence.ts';
import type { Ledger } from './ledger.ts';
import { type Origins, PUBLIC, union } from './origins.ts';
import { intrinsicFact, unknownFunction } from './rules.ts';

/** Names and what they stand for; inner ones first. */
interface Environment {
  readonly name: string;
  readonly fact: Fact;
  readonly outer: Environment | null;
}

/**
 * The fact of a building block.
 * @throws FederatedTypeError `type.unbound_reference` for a name that nothing binds,
 *   `type.wrong_kind` if the block is not well-typed.
 */
export function interpret(
  node: BuildingBlock,
  ledger: Ledger,
  environment: Environment | null = null,
): Fact {
  const inner = (part: BuildingBlock): Fact => interpret(part, ledger, environment);
  switch (node.kind) {
    case 'reference':
      return lookUp(node.name, environment);
    case 'selection':
      return structElements(inner(node.source))[node.index] ?? PUBLIC_TENSOR;
    case 'struct':
      return { kind: 'struct', elements: node.elements.map(({ value }) => inner(value)) };
    case 'call':
      return interpretCall(node, ledger, environment);
    case 'lambda':
      return interpretLambda(node, ledger, environment);
    case 'block':
      return interpretBlock(node, ledger, environment);
    case 'intrinsic':
      return intrinsicFact(node, ledger);
    case 'compiled':
      return compiledFact(node);
    case 'data':
      return dataFact(node, ledger);
    case 'literal':
      return constantFact(node.value, node.type);
    case 'placement':
      return PUBLIC_TENSOR;
  }
}

function interpretCall(node: Call, ledger: Ledger, environment: Environment | null): Fact {
  const fn = asFunctionFact(interpret(node.function, ledger, environment));
  const argument = node.argument === null ? null : interpret(node.argument, ledger, environment);
  return ledger.within(node, () => fn.apply(argument));
}

function interpretLambda(
  { parameter, result, type }: Lambda,
  ledger: Ledger,
  environment: Environment | null,
): FunctionFact {
  return {
    kind: 'function',
    type,
    apply: (argument) =>
      interpret(
        result,
        ledger,
        parameter === null || argument === null
          ? environment
          : { name: parameter, fact: argument, outer: environment },
      ),
  };
}

function interpretBlock(
  { locals, result }: Block,
  ledger: Ledger,
  environment: Environment | null,
): Fact {
  let scope = environment;
  for (const { name, value } of locals) {
    scope = { name, fact: interpret(value, ledger, scope), outer: scope };
  }
  return interpret(result, ledger, scope);
}

function lookUp(name: string, environment: Environment | null): Fact {
  for (let scope = environment; scope !== null; scope = scope.outer) {
    if (scope.name === name) return scope.fact;
  }
  throw new FederatedTypeError(
    'type.unbound_reference',
    `Nothing binds the name ${JSON.stringify(name.slice(0, 100))} where it is used, so what it discloses cannot be told.`,
  );
}

/** Each result of a kernel graph has the origins of the parameters that it was computed from. */
function compiledFact({ graph, type }: Compiled): FunctionFact {
  const dependencies = dependenciesOf(graph);
  return {
    kind: 'function',
    type,
    apply: (argument) => {
      const parameters = argument === null ? [] : tensorFacts(argument);
      const results = dependencies.map((indices) =>
        union(...[...indices].map((index) => parameters[index]?.origins ?? PUBLIC)),
      );
      return fromLeaves(type.result, results.values());
    },
  };
}

function tensorFacts(fact: Fact): readonly TensorFact[] {
  if (fact.kind === 'tensor') return [fact];
  return structElements(fact).flatMap(tensorFacts);
}

function fromLeaves(type: Type, leaves: Iterator<Origins, undefined>): Fact {
  if (type.kind !== 'struct') {
    return { kind: 'tensor', origins: leaves.next().value ?? PUBLIC };
  }
  return {
    kind: 'struct',
    elements: (type satisfies StructType).elements.map((element) =>
      fromLeaves(element.type, leaves),
    ),
  };
}

/** Named data is a client's if it is placed at the clients, or if code that runs there uses it. */
function dataFact({ uri, type }: Data, ledger: Ledger): Fact {
  const name = `data(${uri})`;
  if (type.kind === 'federated') {
    const isClients = type.placement === 'clients';
    return factOf(type, namedOrigins(ledger, isClients ? 'client' : null), () => neverHere(), name);
  }
  return factOf(
    type,
    namedOrigins(ledger, 'unplaced'),
    (fn, path) => unknownFunction(path, fn, ledger, ledger.origins.unplaced(path)),
    name,
  );
}

/** Origins named after the path to the leaf. */
export function namedOrigins(
  { origins }: Ledger,
  whose: 'client' | 'unplaced' | null,
): (leaf: 'value' | 'length', path: string) => Origins {
  return (leaf, path) =>
    whose === null ? PUBLIC : origins[whose](leaf === 'length' ? `length of ${path}` : path);
}

function neverHere(): never {
  throw new FederatedTypeError('type.wrong_kind', 'A placed value holds no function.');
}
