/**
 * @file A process that claims steps in a ledger, one line of output each, until it is killed: the line
 * is what the step would have sent.
 */

import { writeSync } from 'node:fs';
import { fileSessionLedger } from '../../../runtime/identities/session-ledger.node.ts';

const [path = '', first = '0', last = '0'] = process.argv.slice(2);
const ledger = fileSessionLedger(path);
for (let step = Number(first); step < Number(last); step += 1) {
  if (ledger.claim(`step ${step}`)) writeSync(1, `${step}\n`);
}
