/**
 * @file Measured processes made of others: one after the other, or side by side. As
 * `chain_measured_processes` and `concatenate_measured_processes` of `tff.templates`.
 */

import type { AnyComputation, Computation, Value } from '../../computations/computation.ts';
import { federatedComputation } from '../../computations/federated-computation.ts';
import {
  type AtServer,
  compactNotation,
  type FederatedType,
  isAssignable,
  type StructType,
  struct,
  type Type,
} from '../../computations/types/index.ts';
import { bindValue, toBlock, typeOf } from '../../computations/value.ts';
import { federatedZip } from '../../intrinsics/index.ts';
import { malformed, misfit } from './errors.ts';
import { MeasuredProcess, type MeasuredProcessParts } from './measured-process.ts';

/** A measured process whose rounds take one value beside the state, whatever its types. */
export interface Stage {
  readonly initialize: AnyComputation;
  readonly next: AnyComputation;
  readonly stateType: Type;
  readonly dataTypes: readonly [Type];
  readonly resultType: Type;
  readonly measurementsType: Type;
}

/** A process, and the name of its part of the state and of the measurements. */
export type NamedStage = readonly [name: string, process: Stage];

/** Processes side by side, by name. */
export interface Stages {
  readonly [name: string]: Stage;
}

/** The states, or the measurements, of several processes: one placed struct if all are at the server. */
export type Combined<T extends { readonly [name: string]: Type }> =
  T[string & keyof T] extends FederatedType<Type, 'server'>
    ? AtServer<StructType<{ readonly [K in string & keyof T]: MemberOf<T[K]> }>>
    : StructType<T>;

type MemberOf<T extends Type> = T extends FederatedType<infer M> ? M : T;

type ByName<E extends readonly NamedStage[]> = {
  readonly [T in E[number] as T[0]]: T[1];
};
type Parts<P extends Stages, F extends keyof Stage> = {
  readonly [K in string & keyof P]: Extract<P[K][F], Type>;
};
type InputsOf<P extends Stages> = StructType<{
  readonly [K in string & keyof P]: P[K]['dataTypes'][0];
}>;

type First<E extends readonly NamedStage[]> = E extends readonly [
  infer T extends NamedStage,
  ...unknown[],
]
  ? T[1]
  : Stage;
type Last<E extends readonly NamedStage[]> = E extends readonly [
  ...unknown[],
  infer T extends NamedStage,
]
  ? T[1]
  : Stage;

/**
 * Runs processes one after the other in each round: what one results in, the next one takes. State
 * and measurements are structs with a part for each, by name.
 *
 * @param stages names and processes, in the order in which they run.
 * @throws TemplateError `template.not_composable` if a process does not take one value beside its
 *   state, or not the result of the one before.
 */
export function chainMeasuredProcesses<const E extends readonly NamedStage[]>(
  stages: E,
): MeasuredProcess<
  Combined<Parts<ByName<E>, 'stateType'>>,
  readonly [First<E>['dataTypes'][0]],
  Last<E>['resultType'],
  Combined<Parts<ByName<E>, 'measurementsType'>>
>;
export function chainMeasuredProcesses(stages: readonly NamedStage[]): unknown {
  const parts = requireStages(stages, 'chainMeasuredProcesses');
  for (const [i, [name, process]] of parts.slice(1).entries()) {
    const [before, source] = parts[i] as NamedStage;
    const [taken] = process.dataTypes;
    if (isAssignable(taken, source.resultType)) continue;
    throw misfit(
      'template.not_composable',
      `'${name}' comes after '${before}', but does not take what that one results in.`,
      taken,
      source.resultType,
    );
  }
  const [[, first]] = parts;
  return compose('chain', parts, first.dataTypes[0], (states, input, outputs) => {
    let value = input;
    for (const [name, process] of parts) {
      const output = callNext(process, states[name] as Value, value);
      outputs.push([name, output]);
      value = output.result;
    }
    return value;
  });
}

/**
 * Runs processes side by side: a round takes a struct with a value for each, by name. State, result
 * and measurements are structs in the same way.
 * @throws TemplateError `template.not_composable` if a process does not take one value beside its state.
 */
export function concatenateMeasuredProcesses<P extends Stages>(
  processes: P,
): MeasuredProcess<
  Combined<Parts<P, 'stateType'>>,
  readonly [InputsOf<P>],
  StructType<Parts<P, 'resultType'>>,
  Combined<Parts<P, 'measurementsType'>>
>;
export function concatenateMeasuredProcesses(processes: Stages): unknown {
  const parts = requireStages(Object.entries(processes), 'concatenateMeasuredProcesses');
  const input = struct(
    Object.fromEntries(parts.map(([name, { dataTypes }]) => [name, dataTypes[0]])),
  );
  return compose('concatenation', parts, input, (states, values, outputs) => {
    const inputs = values as Members;
    for (const [name, process] of parts) {
      outputs.push([name, callNext(process, states[name] as Value, inputs[name] as Value)]);
    }
    return Object.fromEntries(outputs.map(([name, output]) => [name, output.result]));
  });
}

/** A struct's elements, by name. */
type Members = Value & { readonly [name: string]: Value };
interface Output {
  readonly state: Value;
  readonly result: Value;
  readonly measurements: Value;
}

function compose(
  name: string,
  parts: readonly NamedStage[],
  input: Type,
  body: (states: Members, input: Value, outputs: [string, Output][]) => unknown,
): MeasuredProcess {
  const initialize = federatedComputation(
    [],
    () => combined(parts.map(([part, process]) => [part, called(process.initialize)])),
    { name: `${name}_initialize` },
  );
  const next = federatedComputation(
    [initialize.resultType, input],
    (state, value) => {
      const outputs: [string, Output][] = [];
      const result = body(state as Members, value, outputs);
      return {
        state: combined(outputs.map(([part, output]) => [part, output.state])),
        result,
        measurements: combined(outputs.map(([part, output]) => [part, output.measurements])),
      };
    },
    { name: `${name}_next` },
  );
  // The types were checked stage by stage; what they are is known at run time only.
  return new MeasuredProcess({ initialize, next } as MeasuredProcessParts<
    Type,
    readonly Type[],
    Type,
    Type
  >);
}

/** A struct of values; if all are at the server, a struct at the server. */
function combined(values: readonly (readonly [string, Value])[]): Value {
  const members = Object.fromEntries(values) as { readonly [name: string]: Value };
  const atServer = values.every(([, value]) => {
    const type = typeOf(value);
    return type.kind === 'federated' && type.placement === 'server';
  });
  if (!atServer) return bindValue(toBlock(members, STRUCT), STRUCT);
  return federatedZip(members as { readonly [name: string]: Value<AtServer> });
}

const STRUCT = 'a struct of states or measurements';

function callNext({ next }: Stage, state: Value, value: Value): Output {
  return called(next, state, value) as Value & Output;
}

/** A call inside a body, of a computation whose types are not known to the compiler. */
function called(computation: AnyComputation, ...values: readonly Value[]): Value {
  return (computation as Computation)(...values);
}

type NonEmpty = readonly [NamedStage, ...NamedStage[]];

function requireStages(stages: readonly NamedStage[], caller: string): NonEmpty {
  const [first, ...others] = stages;
  if (first === undefined) {
    throw malformed(
      'template.not_composable',
      `${caller} takes at least one process.`,
      'a MeasuredProcess',
      'none',
    );
  }
  const seen = new Set<string>();
  for (const [name, process] of stages) {
    if (seen.has(name)) {
      throw malformed(
        'template.not_composable',
        `${caller} takes processes of different names.`,
        'another name',
        `'${name}' twice`,
      );
    }
    seen.add(name);
    if (process instanceof MeasuredProcess && process.dataTypes.length === 1) continue;
    throw malformed(
      'template.not_composable',
      `${caller} takes measured processes with one value a round beside the state; '${name}' is none.`,
      '(<S,V> -> <state=S,result=R,measurements=M>)',
      process instanceof MeasuredProcess ? compactNotation(process.next.type) : typeof process,
    );
  }
  return [first, ...others];
}
