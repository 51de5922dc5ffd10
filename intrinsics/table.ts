/** @file All intrinsics by URI. */

import { FederatedTypeError, type Type } from '../computations/types/index.ts';
import {
  FEDERATED_AGGREGATE,
  FEDERATED_MAX,
  FEDERATED_MEAN,
  FEDERATED_MEAN_OR_ZERO,
  FEDERATED_MIN,
  FEDERATED_SUM,
  FEDERATED_WEIGHTED_MEAN,
  FEDERATED_WEIGHTED_MEAN_OR_ZERO,
} from './aggregate.ts';
import {
  FEDERATED_BROADCAST,
  FEDERATED_EVAL_AT_CLIENTS,
  FEDERATED_EVAL_AT_SERVER,
  FEDERATED_VALUE_AT_CLIENTS,
  FEDERATED_VALUE_AT_SERVER,
  FEDERATED_ZIP_AT_CLIENTS,
  FEDERATED_ZIP_AT_SERVER,
} from './communicate.ts';
import { type IntrinsicDefinition, requireIntrinsicType } from './definition.ts';
import { GENERIC_DIVIDE, GENERIC_MULTIPLY, GENERIC_PLUS, GENERIC_ZERO } from './generic.ts';
import { FEDERATED_APPLY, FEDERATED_MAP, FEDERATED_MAP_ALL_EQUAL } from './map.ts';
import {
  FEDERATED_SECURE_MODULAR_SUM,
  FEDERATED_SECURE_SUM,
  FEDERATED_SECURE_SUM_BITWIDTH,
} from './secure.ts';
import { FEDERATED_SECURE_SELECT, FEDERATED_SELECT } from './select.ts';
import { SEQUENCE_MAP, SEQUENCE_REDUCE, SEQUENCE_SUM } from './sequences.ts';

/** Every intrinsic of the language. */
export const INTRINSICS: ReadonlyMap<string, IntrinsicDefinition> = new Map(
  [
    FEDERATED_AGGREGATE,
    FEDERATED_APPLY,
    FEDERATED_BROADCAST,
    FEDERATED_EVAL_AT_CLIENTS,
    FEDERATED_EVAL_AT_SERVER,
    FEDERATED_MAP,
    FEDERATED_MAP_ALL_EQUAL,
    FEDERATED_MAX,
    FEDERATED_MEAN,
    FEDERATED_MEAN_OR_ZERO,
    FEDERATED_MIN,
    FEDERATED_SECURE_MODULAR_SUM,
    FEDERATED_SECURE_SELECT,
    FEDERATED_SECURE_SUM,
    FEDERATED_SECURE_SUM_BITWIDTH,
    FEDERATED_SELECT,
    FEDERATED_SUM,
    FEDERATED_VALUE_AT_CLIENTS,
    FEDERATED_VALUE_AT_SERVER,
    FEDERATED_WEIGHTED_MEAN,
    FEDERATED_WEIGHTED_MEAN_OR_ZERO,
    FEDERATED_ZIP_AT_CLIENTS,
    FEDERATED_ZIP_AT_SERVER,
    GENERIC_DIVIDE,
    GENERIC_MULTIPLY,
    GENERIC_PLUS,
    GENERIC_ZERO,
    SEQUENCE_MAP,
    SEQUENCE_REDUCE,
    SEQUENCE_SUM,
  ].map((definition) => [definition.uri, definition]),
);

/**
 * Checks the type of an intrinsic that came from outside.
 * @throws FederatedTypeError `type.unknown_intrinsic`, or why the type is none that it has.
 */
export function intrinsicTypeRule(uri: string, type: Type): void {
  const definition = INTRINSICS.get(uri);
  if (definition === undefined) {
    throw new FederatedTypeError(
      'type.unknown_intrinsic',
      `There is no intrinsic '${uri.slice(0, 100)}'.`,
    );
  }
  requireIntrinsicType(definition, type);
}
