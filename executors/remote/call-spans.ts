/**
 * @file Spans of calls between processes, one at either end, named and described as OpenTelemetry's
 * semantic conventions for RPC have it.
 */

import { type Attributes, SpanKind } from '@opentelemetry/api';
import { ExecutorGroup } from '../../computations/wire/index.ts';
import { withinSpan } from '../spans.ts';
import type { ServedMethod } from './calls.ts';
import { callersContext } from './traceparent.ts';

/** What carries a call: the envelope over any link, or the service of gRPC. */
export type RpcSystem = 'fedloom' | 'grpc';

export interface OutgoingCall {
  readonly method: ServedMethod;
  readonly system: RpcSystem;
  /** Who is called. */
  readonly attributes: Attributes;
}

export interface IncomingCall {
  readonly method: ServedMethod;
  readonly system: RpcSystem;
  /** What the caller says of its trace; anything at all. */
  readonly traceparent: string | undefined;
}

/** Makes a call in a span of the kind CLIENT; `activeTraceparent` names it meanwhile. */
export function callWithinSpan<T>(
  { method, system, attributes }: OutgoingCall,
  call: () => Promise<T>,
): Promise<T> {
  const { name, attributes: described } = DESCRIBED[system][method];
  return withinSpan(name, { kind: SpanKind.CLIENT, attributes: described }, (span) => {
    span.setAttributes(attributes);
    return call();
  });
}

/** Serves a call in a span of the kind SERVER, a part of the caller's. */
export function serveWithinSpan<T>(
  { method, system, traceparent }: IncomingCall,
  serve: () => Promise<T>,
): Promise<T> {
  const { name, attributes } = DESCRIBED[system][method];
  const parent = callersContext(traceparent);
  return withinSpan(name, { kind: SpanKind.SERVER, attributes, parent }, serve);
}

interface Described {
  readonly name: string;
  readonly attributes: Attributes;
}

function describe(system: RpcSystem): { readonly [M in ServedMethod]: Described } {
  const entries = Object.entries(ExecutorGroup.method).map(([key, { parent, name }]) => [
    key,
    {
      name: `${parent.typeName}/${name}`,
      attributes: { 'rpc.system': system, 'rpc.service': parent.typeName, 'rpc.method': name },
    },
  ]);
  const service = 'fedloom.v1.Envelope';
  const batch = {
    name: `${service}/Batch`,
    attributes: { 'rpc.system': system, 'rpc.service': service, 'rpc.method': 'Batch' },
  };
  return { ...Object.fromEntries(entries), batch };
}

const DESCRIBED = { fedloom: describe('fedloom'), grpc: describe('grpc') };
