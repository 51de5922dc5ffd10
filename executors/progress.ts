/** @file What executors tell about their progress, to whoever listens to an invocation. */

export type ProgressStep = IntrinsicStep | ClientsStep | ProtocolStep;

/** An intrinsic on placed values began. */
export interface IntrinsicStep {
  readonly kind: 'intrinsic';
  readonly uri: string;
}

/** Work that is done once for each client; told at its beginning, and whenever one is done. */
export interface ClientsStep {
  readonly kind: 'clients';
  /** What the clients do: the URI of an intrinsic, or a few words. */
  readonly work: string;
  /** Clients that are done. */
  readonly done: number;
  readonly total: number;
}

/** A stage of a secure protocol; told at its beginning, and whenever one party is done. */
export interface ProtocolStep {
  readonly kind: 'protocol';
  readonly stage: string;
  /** Parties that are done. */
  readonly done: number;
  readonly total: number;
}

export type ProgressListener = (step: ProgressStep) => void;
