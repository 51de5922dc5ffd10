/**
 * @file What must not happen while a body is traced: host randomness, changing or disposing tensors
 * from outside, a trace inside a trace. Everything is put back afterwards, whatever happened.
 */

import { TraceError } from '../../types/errors.ts';
import { engine, tf } from '../tfjs.ts';
import { TRACE_BACKEND, traceBackend } from './backend.ts';
import type { Recording } from './recording.ts';

/**
 * Runs `action` with the trace backend current and `recording` receiving all kernel calls. Tensors
 * and variables that it makes are disposed afterwards.
 * @throws TraceError `trace.nested` inside another trace
 */
export function underGuard<T>(recording: Recording, action: () => T): T {
  const backend = traceBackend();
  if (backend.recording !== null) {
    backend.recording.violate(
      new TraceError(
        'trace.nested',
        'A computation is traced inside the body of another one. Trace it outside, and call it.',
      ),
    );
  }
  if (tf.env().getBool('DEBUG')) {
    throw new TraceError(
      'trace.failed',
      'tf.enableDebugMode() reads every tensor, which a trace does not have; turn it off.',
    );
  }
  const restore = enter(recording);
  let failed = true;
  try {
    const result = action();
    failed = false;
    return result;
  } finally {
    restore(failed);
  }
}

/** True while the body of a tensor computation is being traced. */
export function isTracingTensors(): boolean {
  return traceBackend().recording !== null;
}

function enter(recording: Recording): (failed: boolean) => void {
  const core = engine();
  const { backendName, backendInstance } = core;
  const random = Math.random;
  const variables = new Set(Object.keys(core.state.registeredVariables));
  const backend = traceBackend();
  // With an initialised backend everything up to here happens before the promise is returned.
  void tf.setBackend(TRACE_BACKEND);
  backend.recording = recording;
  core.startScope('fedloom trace');
  // Tensors are numbered in the order of their making, which tells inner ones from outer ones.
  const boundary = { dataId: backend.nextDataId(), shape: [], dtype: 'float32' as const };
  const firstInner = core.makeTensorFromTensorInfo(boundary, backend).id;
  Math.random = () => recording.violate(hostRandomness());
  core.disposeTensor = (tensor) => {
    if (tensor.id < firstInner) recording.violate(sideEffect(tensor));
    Object.getPrototypeOf(core).disposeTensor.call(core, tensor);
  };
  const kept = new Set<tf.Tensor>();
  core.keep = (tensor) => {
    kept.add(tensor);
    return Object.getPrototypeOf(core).keep.call(core, tensor);
  };
  return (failed) => {
    Reflect.deleteProperty(core, 'disposeTensor');
    Reflect.deleteProperty(core, 'keep');
    // A gradient that fails half-way leaves the tensors that its tape has kept.
    if (failed) for (const tensor of kept) tensor.dispose();
    Math.random = random;
    for (const [name, variable] of Object.entries(core.state.registeredVariables)) {
      if (!variables.has(name)) core.disposeVariable(variable);
    }
    core.endScope();
    backend.recording = null;
    if (!backendName || !backendInstance) {
      // No backend was chosen yet, or one is still being loaded; leave it so.
      core.backendName = backendName;
      core.backendInstance = backendInstance;
    } else {
      void tf.setBackend(backendName);
    }
  };
}

function hostRandomness(): TraceError {
  return new TraceError(
    'trace.host_randomness',
    'The body draws random numbers on the host (Math.random, tf.randomNormal, tf.dropout, an initialiser), which would be drawn once and then be the same at every client and in every round. Pass a key as a parameter and use the random module, or pass the numbers as a parameter.',
  );
}

function sideEffect(tensor: tf.Tensor): TraceError {
  const what =
    tensor instanceof tf.Variable
      ? `assigns to, or disposes, the variable '${tensor.name}' from outside`
      : 'disposes a tensor from outside';
  return new TraceError(
    'trace.side_effect',
    `The body ${what}. A computation has no effects: return the new value as a result, and compute gradients with tf.grads, tf.valueAndGrads or tf.variableGrads in the place of optimizer.minimize.`,
  );
}
