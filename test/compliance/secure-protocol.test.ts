import { masking, paillier, perturbations, secAgg, secAggPlus } from 'fedloom';
import { describeSecureProtocol } from './secure-protocol.ts';

// A modulus that can be factored keeps the suite quick; the real sizes run in the slow suite.
const quick = { modulusBits: 512, allowInsecureModulus: true, minimumClients: 1 };

describeSecureProtocol('masking', () => masking({ minimumClients: 1 }));
describeSecureProtocol('perturbations', () => perturbations({ minimumClients: 1 }));
describeSecureProtocol('paillier, key at the server', () => paillier(quick), {
  dropouts: true,
  runs: 4,
});
describeSecureProtocol(
  'paillier, separate key holder',
  () => paillier({ ...quick, keyHolder: 'key_holder' }),
  { dropouts: true, runs: 4 },
);
describeSecureProtocol(
  'paillier, key holder and server that keeps masks',
  () => paillier({ ...quick, keyHolder: 'key_holder', aggregator: 'server' }),
  { dropouts: true, runs: 4 },
);
describeSecureProtocol(
  'paillier, separate key holder that is told the sum',
  () => paillier({ ...quick, keyHolder: 'key_holder', verifyInputs: false }),
  { dropouts: true, runs: 4 },
);
describeSecureProtocol('masking on threads', () => masking({ minimumClients: 1 }), {
  threads: 2,
  runs: 3,
});
describeSecureProtocol('secAgg', () => secAgg({ minimumClients: 1 }), { dropouts: true, runs: 2 });
describeSecureProtocol('secAggPlus', () => secAggPlus({ minimumClients: 1 }), {
  dropouts: true,
  runs: 2,
});
describeSecureProtocol(
  'secAgg, semi-honest',
  () => secAgg({ minimumClients: 1, model: 'semi-honest' }),
  { dropouts: true, runs: 4 },
);
describeSecureProtocol('masking with remote parties', () => masking({ minimumClients: 1 }), {
  remote: true,
  runs: 3,
});
describeSecureProtocol('secAgg with remote parties', () => secAgg({ minimumClients: 1 }), {
  remote: true,
  runs: 3,
  dropouts: true,
});
