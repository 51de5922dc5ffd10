/** @file Dtypes by their numbers on the wire. */

import type { DType } from '../types/index.ts';
import { decodeFault } from './faults.ts';
import { DataType } from './gen/federated_language/proto/data_type_pb.ts';

export function toDataType(dtype: DType): DataType {
  return DATA_TYPES[dtype];
}

/** @throws GraphError `graph.decode` for a dtype that has no counterpart here. */
export function fromDataType(dataType: number): DType {
  const dtype = DTYPE_OF.get(dataType);
  if (dtype === undefined) {
    throw decodeFault(
      `dtype ${dataType} is none of those supported here (${Object.keys(DATA_TYPES).join(', ')})`,
    );
  }
  return dtype;
}

const DATA_TYPES: { readonly [D in DType]: DataType } = {
  bool: DataType.DT_BOOL,
  uint8: DataType.DT_UINT8,
  int32: DataType.DT_INT32,
  int64: DataType.DT_INT64,
  float32: DataType.DT_FLOAT,
  string: DataType.DT_STRING,
};

const DTYPE_OF: ReadonlyMap<number, DType> = new Map(
  Object.entries(DATA_TYPES).map(([dtype, dataType]) => [dataType, dtype as DType]),
);
