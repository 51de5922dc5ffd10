/** @file A client that failed while the others went on, and what is told of it. */

/** As progress tells it. */
export interface LostClient {
  /** Its name: `clients/3`. */
  readonly client: string;
  /** What it failed in: the URI of an intrinsic, the stage of a protocol, or a few words. */
  readonly stage: string;
  /** `refused`: by its own policy or for its own value; `failed`: anything else that it threw. */
  readonly reason: 'failed' | 'timeout' | 'refused';
}

/** The same with why. */
export interface Lost extends LostClient {
  readonly cause: unknown;
}

/** What progress tells of lost clients: causes may quote data. */
export function withoutCauses(lost: readonly Lost[]): readonly LostClient[] {
  return lost.map(({ client, stage, reason }) => ({ client, stage, reason }));
}

/** Some of those who were lost, and why, for a message. */
export function describeLost(lost: readonly Lost[]): string {
  const named = lost.slice(0, NAMED_AT_MOST).map(({ client, stage, reason, cause }) => {
    const why = cause instanceof Error ? cause.message : reason;
    return `${client} in '${stage}' (${why})`;
  });
  const rest = lost.length - named.length;
  return named.join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

const NAMED_AT_MOST = 5;
