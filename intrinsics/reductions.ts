/** @file Reductions of the composite aggregations to `federated_aggregate`, maps and zips. */

import {
  type BuildingBlock,
  call,
  intrinsic,
  type Lambda,
  lambda,
  reference,
  structBlock,
} from '../computations/building-blocks.ts';
import {
  type FunctionType,
  federated,
  func,
  structOf,
  type TensorType,
  type Type,
} from '../computations/types/index.ts';
import { argumentTypes, memberOf } from './definition.ts';
import {
  extremumFold,
  type Fold,
  meanFold,
  sumFold,
  type WhenEmpty,
  weigh,
  weightedMeanFold,
} from './local-arithmetic.ts';

export function reduceSum(type: FunctionType): BuildingBlock {
  return reduceToFold(type, sumFold(memberOf(argumentTypes(type)[0])));
}

export function reduceExtremum(type: FunctionType, which: 'min' | 'max'): BuildingBlock {
  return reduceToFold(type, extremumFold(memberOf(argumentTypes(type)[0]), which));
}

export function reduceMean(type: FunctionType, whenEmpty: WhenEmpty): BuildingBlock {
  return reduceToFold(type, meanFold(memberOf(argumentTypes(type)[0]), whenEmpty));
}

/** Every client forms its products w·v; then they and the weights are summed and divided. */
export function reduceWeightedMean(type: FunctionType, whenEmpty: WhenEmpty): BuildingBlock {
  const [value, weight] = argumentTypes(type).map(memberOf) as [Type, TensorType];
  const term = structOf([unnamed(value), unnamed(weight)]);
  const terms = federated(term, 'clients', false);
  return overParameter(type, (argument) => {
    const zipped = call(
      intrinsic('federated_zip_at_clients', func(argument.type, terms)),
      argument,
    );
    const weighed = callWith('federated_map', [weigh(value, weight), zipped], terms);
    return foldCall(weighed, weightedMeanFold(value, weight, whenEmpty), type.result);
  });
}

function reduceToFold(type: FunctionType, fold: Fold): Lambda {
  return overParameter(type, (argument) => foldCall(argument, fold, type.result));
}

function foldCall(value: BuildingBlock, fold: Fold, result: Type): BuildingBlock {
  return callWith(
    'federated_aggregate',
    [value, fold.zero, fold.accumulate, fold.merge, fold.report],
    result,
  );
}

function callWith(uri: string, args: readonly BuildingBlock[], result: Type): BuildingBlock {
  const argument = structBlock(args.map((value) => ({ name: null, value })));
  return call(intrinsic(uri, func(argument.type, result)), argument);
}

function overParameter(
  type: FunctionType,
  body: (argument: BuildingBlock) => BuildingBlock,
): Lambda {
  const parameter = type.parameter as Type;
  return lambda('arg', parameter, body(reference('arg', parameter)));
}

function unnamed(type: Type): { readonly name: null; readonly type: Type } {
  return { name: null, type };
}
