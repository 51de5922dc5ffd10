import { trustedAggregator } from '../../examples/support/trusted-aggregation.ts';
import { describeSecureProtocol } from '../compliance/secure-protocol.ts';

describeSecureProtocol('a trusted aggregator', () => trustedAggregator({ minimumClients: 1 }));
