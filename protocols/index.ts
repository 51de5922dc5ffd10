/** @file The public names of the protocols room: secure aggregation as mathematics and state machines. */

export {
  aesCtrKeystream,
  aesGcmOpen,
  aesGcmSeal,
  ed25519PublicKey,
  ed25519Sign,
  ed25519Verify,
  equalBytes,
  generateEd25519KeyPair,
  generateX25519KeyPair,
  hkdfSha256,
  hmacSha256,
  platformName,
  randomBytes,
  sha256,
  x25519PublicKey,
  x25519SharedSecret,
} from '#crypto';
export {
  bigIntFromBytes,
  bigIntToBytes,
  bitLength,
  concatBytes,
  fromHex,
  toHex,
  utf8,
} from './crypto/bytes.ts';
export * from './crypto/hpke.ts';
export type {
  CryptoPlatform,
  Ed25519KeyPair,
  HkdfParameters,
  Keystream,
  Rng,
  X25519KeyPair,
} from './crypto/interface.ts';
export { deterministicRng, uniformBelow, uniformBits } from './crypto/random.ts';
export * from './crypto/sealed-channel.ts';
export { SecretBytes } from './crypto/secret.ts';
export { type Fault, isFault, ProtocolError, type ProtocolErrorCode } from './errors.ts';
export { LinearState } from './linear-state.ts';
export {
  type MaskingClientFault,
  type MaskingClientFinished,
  type MaskingClientInput,
  type MaskingClientSetup,
  type MaskingClientStarted,
  type MaskingClientState,
  maskClientInput,
  startMaskingClient,
} from './masking/client.ts';
export { applyMasks, type Mask } from './masking/mask-kernel.ts';
export { type MaskBinding, maskKeystream } from './masking/mask-key.ts';
export {
  type AdvertisedKey,
  advertisedKeyCodec,
  type MaskedInput,
  maskedInputCodec,
  parametersCodec,
  type Roster,
  type RosterEntry,
  rosterCodec,
} from './masking/messages.ts';
export {
  type MaskedVector,
  type MaskingParameters,
  type ModularVector,
  type SumVector,
  sumVector,
} from './masking/parameters.ts';
export {
  finishMaskingServer,
  handleAtMaskingServer,
  type MaskingServerContinued,
  type MaskingServerFault,
  type MaskingServerFinished,
  type MaskingServerSetup,
  type MaskingServerState,
  missingAtMaskingServer,
  startMaskingServer,
} from './masking/server.ts';
export {
  type AggregatorContinued,
  type AggregatorFinished,
  type AggregatorSetup,
  type AggregatorState,
  finishAggregator,
  handleAtAggregator,
  startAggregator,
} from './paillier/aggregator.ts';
export {
  announceKey,
  handleAnnouncedKey,
  type KeyAccepted,
  type KeyAnnouncement,
  type KeyExpectation,
  proveForHolder,
} from './paillier/announced-key.ts';
export {
  addCiphertexts,
  addPlaintexts,
  decodeCiphertexts,
  encodeCiphertexts,
} from './paillier/ciphertexts.ts';
export {
  encryptClientInput,
  encryptMaskedInput,
  type MaskedClientFinished,
  type PaillierClientFinished,
  type PaillierClientInput,
  type PaillierClientSetup,
} from './paillier/client.ts';
export {
  type Decryption,
  decrypt,
  decryptVerifiably,
  verifyDecryption,
} from './paillier/decryption.ts';
export { createEncryptor, type Encryptor, type EncryptorOptions } from './paillier/encryptor.ts';
export { PaillierError, type PaillierErrorCode } from './paillier/errors.ts';
export type { PaillierFault, PaillierFaultCode, PaillierStage } from './paillier/faults.ts';
export type { CohortSetup } from './paillier/input-list.ts';
export {
  type InputStatement,
  isSignedBy,
  signStatement,
  statementOf,
} from './paillier/input-statement.ts';
export {
  decryptAtKeyHolder,
  finishKeyHolder,
  handleAtKeyHolder,
  type KeyHolderContinued,
  type KeyHolderFinished,
  type KeyHolderSetup,
  type KeyHolderState,
  startKeyHolder,
} from './paillier/key-holder.ts';
export { decodeKeyProof, encodeKeyProof, type KeyProof } from './paillier/key-proof.ts';
export {
  finishMaskKeeper,
  handleAtMaskKeeper,
  type MaskKeeperContinued,
  type MaskKeeperFinished,
  type MaskKeeperSetup,
  type MaskKeeperState,
  startMaskKeeper,
} from './paillier/mask-keeper.ts';
export {
  type AnnouncedKey,
  announcedKeyCodec,
  type DecryptedSum,
  decryptedSumCodec,
  type EncryptedInput,
  type EncryptedSum,
  encryptedInputCodec,
  encryptedSumCodec,
  type InputMask,
  inputMaskCodec,
  type ListedInput,
  type MaskSum,
  maskSumCodec,
  type PaillierSession,
  type SumHeader,
} from './paillier/messages.ts';
export {
  createPackingPlan,
  type PackedModularSum,
  type PackedSegment,
  type PackedSum,
  type PackingOptions,
  type PackingPlan,
  packValues,
  unpackSums,
} from './paillier/packing.ts';
export {
  generatePaillierKey,
  importPrivateKey,
  type KeyGenerationOptions,
  type PaillierPrivateKey,
  type PrivateKeyLike,
} from './paillier/private-key.ts';
export { proveKey } from './paillier/prove-key.ts';
export {
  DEFAULT_MODULUS_BITS,
  importPublicKey,
  type KeyPolicy,
  LEAST_MODULUS_BITS,
  type PaillierPublicKey,
  type PublicKeyLike,
} from './paillier/public-key.ts';
export {
  maskEncryptedSum,
  type PaillierServerContinued,
  type PaillierServerFinished,
  type PaillierServerSetup,
  type PaillierServerState,
  readDecryptedSum,
  unmaskDecryptedSum,
  unmaskWithMaskSum,
} from './paillier/server.ts';
export type { UseOnce } from './paillier/use-once.ts';
export { verifyKeyProof } from './paillier/verify-key-proof.ts';
export {
  discardPerturbations,
  type ExchangedPerturbationsState,
  exchangePerturbations,
  maskWithPerturbations,
  type PerturbationsClientFault,
  type PerturbationsClientFinished,
  type PerturbationsClientSetup,
  type PerturbationsClientStarted,
  type PerturbationsClientState,
  type PerturbationsExchanged,
  startPerturbationsClient,
} from './perturbations/client.ts';
export {
  type DeliveredPerturbations,
  deliveredPerturbationsCodec,
  type SealedPerturbation,
  type SentPerturbations,
  sentPerturbationsCodec,
} from './perturbations/messages.ts';
export { drawPerturbation } from './perturbations/perturbation.ts';
export {
  finishPerturbationsServer,
  handleAtPerturbationsServer,
  missingAtPerturbationsServer,
  type PerturbationsServerContinued,
  type PerturbationsServerFault,
  type PerturbationsServerSetup,
  type PerturbationsServerState,
  startPerturbationsServer,
} from './perturbations/server.ts';
export {
  type DequantizationFault,
  type Dequantized,
  dequantizeSums,
  type NoWeight,
  type QuantizedAggregation,
} from './quantization/dequantize.ts';
export {
  type ErrorBoundInput,
  errorBound,
  roundingDeviation,
} from './quantization/error-bound.ts';
export {
  type Quantization,
  type QuantizationOptions,
  quantization,
  requireNoOverflow,
} from './quantization/parameters.ts';
export {
  type FloatVector,
  type QuantizationInput,
  type QuantizedInput,
  quantizeInput,
  quantizeWeight,
} from './quantization/quantize.ts';
export * from './residues/arithmetic.ts';
export * from './residues/bit-packing.ts';
export * from './residues/residues.ts';
export {
  type GeneratedIdentities,
  generateIdentities,
  type Identity,
  requireMember,
} from './roster/identity.ts';
export { decodeIdentityJson, encodeIdentityJson } from './roster/identity-json.ts';
export * from './roster/identity-roster.ts';
export { decodeRosterJson, encodeRosterJson } from './roster/roster-json.ts';
export * from './secagg/index.ts';
export { memoryLedger, type SessionLedger } from './session-ledger.ts';
export * from './shamir/index.ts';
export { ByteReader } from './wire/byte-reader.ts';
export { ByteWriter } from './wire/byte-writer.ts';
export {
  type DecodingFault,
  type DecodingLimits,
  type MessageCodec,
  type MessageFrame,
  messageCodec,
} from './wire/message-codec.ts';
export { readUnsigned, writeUnsigned } from './wire/unsigned.ts';
