/**
 * @file What leaves the clients when a computation runs. The analysis follows the data and not the
 * syntax: whatever a computation's text looks like, an entry is made where client data reaches the
 * server or the caller, and only there. Its soundness (what is not listed does not influence what
 * leaves: non-interference after Goguen and Meseguer 1982) is tested on random computations.
 */

import type { BuildingBlock } from '../../computations/building-blocks.ts';
import type { AnyComputation } from '../../computations/computation.ts';
import { compactNotation, type Type } from '../../computations/types/index.ts';
import { isComputation } from '../../computations/value.ts';
import { elementPath, type Fact, type FunctionFact, factOf } from './facts.ts';
import { interpret, namedOrigins } from './interpreter.ts';
import { Ledger } from './ledger.ts';
import { PUBLIC } from './origins.ts';
import { type DisclosureReport, makeReport } from './report.ts';
import { unknownFunction } from './rules.ts';

/**
 * Tells everything that leaves the clients: what it is derived from, by which aggregation, and to
 * whom.
 *
 * Client data is what the parameters of type `{T}@CLIENTS` hold, and what code at the clients finds
 * by name or by operators of its own. An all-equal parameter (`T@CLIENTS`) is not: the caller, who
 * hands it in, knows it. What the server sees of a failure (that a client failed, and the message)
 * is not analysed, nor is how long something takes.
 *
 * @param computation as written, or compiled: entries name the intrinsics as the user wrote them.
 * @throws FederatedTypeError if a building block is not closed or not well-typed.
 */
export function disclosure(computation: AnyComputation | BuildingBlock): DisclosureReport {
  const isNamed = isComputation(computation);
  const block = isNamed ? computation.buildingBlock : computation;
  const ledger = new Ledger();
  release(interpret(block, ledger), block, block.type, ledger);
  return makeReport(isNamed ? computation.name : null, compactNotation(block.type), ledger.entries);
}

/** Hands a result to the caller; a function is called, on clients' data, and its result handed over. */
function release(
  fact: Fact,
  block: BuildingBlock | null,
  type: Type,
  ledger: Ledger,
  at = '',
): void {
  switch (fact.kind) {
    case 'function':
      release(call(fact, block, ledger), null, fact.type.result, ledger, at);
      return;
    case 'struct':
      fact.elements.forEach((element, index) => {
        const part = type.kind === 'struct' ? type.elements[index] : undefined;
        if (part === undefined) return;
        release(element, null, part.type, ledger, elementPath(at, part.name, index));
      });
      return;
    case 'placed':
      if (fact.placement !== 'clients') return;
      ledger.leave(fact.member, fact.producer, {
        via: 'returned',
        type: compactNotation(type),
        ...(at === '' ? {} : { at }),
      });
      return;
    default:
      // An unplaced result was computed where the server is.
      return;
  }
}

/** @param block the syntax of the function, which names its parameter. */
function call(fn: FunctionFact, block: BuildingBlock | null, ledger: Ledger): Fact {
  const { parameter } = fn.type;
  if (parameter === null) return fn.apply(null);
  const name = (block?.kind === 'lambda' ? block.parameter : null) ?? 'arg';
  return fn.apply(parameterFact(parameter, parameterPath(name, parameter), ledger));
}

/** Tracing makes one parameter `arg` of several; the user knows them by their own names. */
function parameterPath(name: string, type: Type): string {
  const isOfSeveral =
    name === 'arg' && type.kind === 'struct' && type.elements.every((each) => each.name !== null);
  return isOfSeveral ? '' : name;
}

/** A parameter: what the clients hold is theirs, everything else the caller knows. */
function parameterFact(type: Type, path: string, ledger: Ledger): Fact {
  if (type.kind === 'struct') {
    return {
      kind: 'struct',
      elements: type.elements.map(({ name, type: element }, index) =>
        parameterFact(element, elementPath(path, name, index), ledger),
      ),
    };
  }
  const isClients = type.kind === 'federated' && type.placement === 'clients' && !type.allEqual;
  return factOf(
    type,
    namedOrigins(ledger, isClients ? 'client' : null),
    (fn, at) => unknownFunction(at, fn, ledger, PUBLIC),
    path,
  );
}
