/** @file What leaves the clients: the analysis, its report, and an assertion on it. */

export { assertOnlySecureAggregation } from './assert.ts';
export { disclosure } from './disclosure.ts';
export type {
  BoundValue,
  DisclosureEntry,
  DisclosureReport,
  DisclosureVia,
  SecureBound,
} from './report.ts';
