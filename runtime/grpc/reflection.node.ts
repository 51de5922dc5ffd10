/**
 * @file Health (grpc.health.v1) and reflection (grpc.reflection.v1 and v1alpha) of a server, the latter
 * from the descriptors that protobuf-es carries: no .proto file is read.
 */

import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';

/** Says of each service, and of the server (the empty name), whether it serves. */
export class HealthReport {
  readonly #services: readonly string[];
  readonly #implementation: HealthImplementation;

  constructor(server: Server, services: readonly DescService[]) {
    this.#services = ['', ...services.map(({ typeName }) => typeName)];
    this.#implementation = new HealthImplementation();
    this.#implementation.addToServer(server);
    this.report('SERVING');
  }

  report(status: 'SERVING' | 'NOT_SERVING'): void {
    for (const service of this.#services) this.#implementation.setStatus(service, status);
  }
}

/** Lets callers list the services and read their messages. */
export function addReflection(server: Server, services: readonly DescService[]): void {
  const entries = services.map((service) => [service.typeName, packageEntry(service)] as const);
  new ReflectionService(Object.fromEntries(entries)).addToServer(server);
}

type PackageEntry = ConstructorParameters<typeof ReflectionService>[0][string];

/** Of an entry, reflection reads the files alone. */
function packageEntry({ file, name }: DescService): PackageEntry {
  const fileDescriptorProtos = [...filesOf(file)].map(({ proto }) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, proto)),
  );
  const format = 'Protocol Buffer 3 DescriptorProto';
  return { format, type: { name }, fileDescriptorProtos } as PackageEntry;
}

/** A file and all that it is made of. */
function filesOf(file: DescFile, found = new Set<DescFile>()): ReadonlySet<DescFile> {
  if (found.has(file)) return found;
  found.add(file);
  for (const dependency of file.dependencies) filesOf(dependency, found);
  return found;
}
