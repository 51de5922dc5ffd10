/** @file The suite of secure aggregations with many random cases, and with keys of a real size. */

import { masking, paillier, perturbations, secAgg, secAggPlus } from 'fedloom';
import { describeSecureProtocol } from '../../compliance/secure-protocol.ts';

const small = { modulusBits: 512, allowInsecureModulus: true, minimumClients: 1 };

describeSecureProtocol('masking', () => masking({ minimumClients: 1 }), { runs: 30 });
describeSecureProtocol('perturbations', () => perturbations({ minimumClients: 1 }), { runs: 30 });
describeSecureProtocol('paillier', () => paillier(small), { runs: 20, dropouts: true });
describeSecureProtocol(
  'paillier, key holder that adds',
  () => paillier({ ...small, keyHolder: 'key_holder' }),
  { runs: 20, dropouts: true },
);
describeSecureProtocol(
  'paillier, 2048 bits',
  () => paillier({ modulusBits: 2048, minimumClients: 1 }),
  { runs: 3, dropouts: true },
);
describeSecureProtocol('secAgg, more runs', () => secAgg({ minimumClients: 1 }), {
  dropouts: true,
  runs: 6,
});
describeSecureProtocol('secAggPlus, more runs', () => secAggPlus({ minimumClients: 1 }), {
  dropouts: true,
  runs: 6,
});
describeSecureProtocol(
  'paillier on threads',
  () => paillier({ ...small, keyHolder: 'key_holder' }),
  { threads: 2, runs: 3, dropouts: true },
);
describeSecureProtocol('secAgg on threads', () => secAgg({ minimumClients: 1 }), {
  threads: 2,
  runs: 3,
  dropouts: true,
});
describeSecureProtocol(
  'paillier with remote parties',
  () => paillier({ ...small, keyHolder: 'key_holder' }),
  { remote: true, runs: 3, dropouts: true },
);
