/** @file Forms of a round of computation, for systems that run rounds in ways of their own. */

export {
  type DistributeAggregateForm,
  fromDistributeAggregateForm,
  toDistributeAggregateForm,
} from './distribute-aggregate-form.ts';
export { fromMapReduceForm, type MapReduceForm, toMapReduceForm } from './map-reduce-form.ts';
