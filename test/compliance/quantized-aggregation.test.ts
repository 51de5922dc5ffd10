import { masking, paillier, perturbations, secAgg, secAggPlus } from 'fedloom';
import { describeQuantizedAggregation } from './quantized-aggregation.ts';

// A modulus that can be factored keeps the suite quick.
const quick = { modulusBits: 512, allowInsecureModulus: true, minimumClients: 1 };

describeQuantizedAggregation('masking', () => masking({ minimumClients: 1 }));
describeQuantizedAggregation('perturbations', () => perturbations({ minimumClients: 1 }));
describeQuantizedAggregation('paillier, key at the server', () => paillier(quick), {
  dropouts: true,
  runs: 3,
});
describeQuantizedAggregation(
  'paillier, separate key holder',
  () => paillier({ ...quick, keyHolder: 'key_holder' }),
  { dropouts: true, runs: 3 },
);
describeQuantizedAggregation('secAgg', () => secAgg({ minimumClients: 1 }), {
  dropouts: true,
  runs: 3,
});
describeQuantizedAggregation(
  'secAggPlus, semi-honest',
  () => secAggPlus({ minimumClients: 1, model: 'semi-honest' }),
  { dropouts: true, runs: 3 },
);
