import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { Metadata } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExecutorGroup } from '../../../computations/wire/index.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { grpcCalls } from '../../../runtime/grpc/grpc-channel.node.ts';
import { serveGrpc } from '../../../runtime/grpc/grpc-server.node.ts';
import { isLoopback } from '../../../runtime/grpc/listen-address.node.ts';
import type { PeerIdentity } from '../../../runtime/remote/link.ts';
import {
  getExecutorRequest,
  Opened,
  oneExecutor,
  type RawClient,
  scriptedCalls,
} from './fixture.ts';

let opened: Opened;

beforeEach(() => {
  opened = new Opened();
});
afterEach(() => opened.close());

const LIMIT = { timeoutMs: 20_000 };
const request = getExecutorRequest(3);
const unavailable = { code: 'transport.unavailable', status: 14 };

describe('health', () => {
  // HealthCheckRequest { service = 1 }; HealthCheckResponse { status = 1 }, of which 1 is SERVING.
  const check = (raw: RawClient, service: string) =>
    raw.unary('/grpc.health.v1.Health/Check', field(1, service));

  it('is told of the service and of the server', async () => {
    const { address } = await opened.serve({ host: oneExecutor() });
    const raw = opened.raw(address);
    for (const service of ['', ExecutorGroup.typeName]) {
      expect((await check(raw, service)).toString('hex')).toBe('0801');
    }
    await expect(check(raw, 'fedloom.v1.ExecutorLinkService')).rejects.toMatchObject({ code: 5 });
  });

  it('ends when the service shuts down, before its calls do', async () => {
    const host = scriptedCalls(() => null);
    const service = await opened.serve({ host });
    const raw = opened.raw(service.address);
    const same = (bytes: Buffer): Buffer => bytes;
    const watching = raw.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      same,
      same,
      Buffer.alloc(0),
      new Metadata(),
    );
    const told: string[] = [];
    watching.on('data', (bytes: Buffer) => told.push(bytes.toString('hex')));
    const ended = new Promise((resolve) => watching.on('error', resolve));
    await vi.waitFor(() => expect(told).toEqual(['0801']));
    await service.close(100);
    await ended;
    // 2 is NOT_SERVING.
    expect(told).toEqual(['0801', '0802']);
  });
});

describe('reflection', () => {
  it('lists the services and hands out their messages, whole', async () => {
    const { address } = await opened.serve({ host: oneExecutor(), links: () => {} });
    const raw = opened.raw(address);
    for (const version of ['v1', 'v1alpha']) {
      // ServerReflectionRequest { list_services = 7 }
      const listed = (await reflect(raw, version, field(7, '*'))).toString('latin1');
      expect(listed).toContain('tensorflow_federated.v0.ExecutorGroup');
      expect(listed).toContain('fedloom.v1.ExecutorLinkService');
      // { file_containing_symbol = 4 } gives { file_descriptor_response = 4 { file = 1 } }
      const response = await reflect(raw, version, field(4, ExecutorGroup.typeName));
      const [found] = fieldsOf(response, 4);
      const files = fieldsOf(found as Uint8Array, 1).map((bytes) =>
        fromBinary(FileDescriptorProtoSchema, bytes),
      );
      const file = inOrder(files);
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
      const methods = registry.getService(ExecutorGroup.typeName)?.methods.map(({ name }) => name);
      expect(methods).toEqual(ExecutorGroup.methods.map(({ name }) => name));
    }
  });

  it('can be left out', async () => {
    const { address } = await opened.serve({ host: oneExecutor(), reflection: false });
    await expect(reflect(opened.raw(address), 'v1', field(7, '*'))).rejects.toMatchObject({
      code: 12,
    });
  });
});

describe('plain text', () => {
  it('stays on this machine unless told otherwise, at both ends', async () => {
    const refused = {
      code: 'transport.invalid_argument',
      message: expect.stringContaining("insecure: 'anywhere'"),
    };
    const host = oneExecutor();
    await expect(serveGrpc({ listen: '0.0.0.0:0', host })).rejects.toMatchObject(refused);
    expect(() => grpcCalls('192.0.2.1:1')).toThrow(expect.objectContaining(refused));
    const service = await opened.serve({ listen: '0.0.0.0:0', host, insecure: 'anywhere' });
    expect(service.address).toBe(`127.0.0.1:${service.port}`);
    const calls = opened.calls(service.address);
    await expect(calls.call('getExecutor', request, LIMIT)).resolves.toBeDefined();
  });

  it.each([
    ['localhost:1', true],
    ['127.0.0.1:1', true],
    ['127.8.9.10:1', true],
    ['[::1]:1', true],
    ['[::ffff:127.0.0.1]:1', true],
    ['dns:///localhost:1', true],
    ['unix:/tmp/x', true],
    ['0.0.0.0:1', false],
    ['[::]:1', false],
    ['10.0.0.1:1', false],
    ['localhost.example.org:1', false],
    ['127.0.0.1.example.org:1', false],
    [':1', false],
    ['', false],
  ])('%s is on this machine: %s', (address, expected) => {
    expect(isLoopback(address)).toBe(expected);
  });
});

describe('connections', () => {
  it('have calls of their own, which end with them', async () => {
    const peers: PeerIdentity[] = [];
    const ended: number[] = [];
    const { address } = await opened.serve({
      host: (peer) => {
        const number = peers.push(peer);
        return { ...oneExecutor(`e${number}`), close: async () => void ended.push(number) };
      },
    });
    const [first, second] = [opened.calls(address), opened.calls(address)];
    const idOf = async (calls: typeof first) =>
      (await calls.call('getExecutor', request, LIMIT)).executor?.id;
    expect([await idOf(first), await idOf(second), await idOf(first)]).toEqual(['e1', 'e2', 'e1']);
    expect(peers[0]).toMatchObject({ name: null, address: expect.stringContaining('127.0.0.1:') });
    await first.close();
    await vi.waitFor(() => expect(ended).toEqual([1]));
    expect(await idOf(second)).toBe('e2');
  });

  it('that are refused are told why', async () => {
    const { address } = await opened.serve({
      host: () => {
        throw transportError('transport.permission_denied', 'You are not in the roster.');
      },
    });
    await expect(opened.calls(address).call('getExecutor', request, LIMIT)).rejects.toMatchObject({
      code: 'transport.permission_denied',
    });
  });

  it('come back when the service does', async () => {
    const host = oneExecutor();
    const service = await opened.serve({ host });
    const calls = opened.calls(service.address);
    expect(calls.state).toBe('idle');
    await calls.ready();
    expect(calls.state).toBe('ready');
    await service.close();
    await vi.waitFor(() =>
      expect(calls.call('getExecutor', request, LIMIT)).rejects.toMatchObject(unavailable),
    );
    await opened.serve({ host, listen: service.address });
    await calls.ready();
    await expect(calls.call('getExecutor', request, LIMIT)).resolves.toBeDefined();
  });

  it('that cannot be made are UNAVAILABLE, and not waited for longer than asked', async () => {
    const service = await opened.serve({ host: oneExecutor() });
    await service.close();
    const calls = opened.calls(service.address);
    await expect(calls.ready({ timeoutMs: 100 })).rejects.toMatchObject(unavailable);
    await expect(calls.call('getExecutor', request, LIMIT)).rejects.toMatchObject(unavailable);
    const stopping = new AbortController();
    const waiting = calls.ready({ signal: stopping.signal });
    stopping.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('that are closed end their calls', async () => {
    const host = scriptedCalls(() => null);
    const { address } = await opened.serve({ host });
    const calls = opened.calls(address);
    const running = calls.call('getExecutor', request, LIMIT);
    await vi.waitFor(() => expect(host.seen.length).toBe(1));
    await calls.close();
    await calls.close();
    expect(calls.state).toBe('closed');
    await expect(running).rejects.toMatchObject(unavailable);
    await expect(calls.call('getExecutor', request, LIMIT)).rejects.toMatchObject(unavailable);
    await vi.waitFor(() => expect(host.seen[0]?.signal?.aborted).toBe(true));
  });
});

describe('shutting down', () => {
  it('waits for calls that run', async () => {
    let answer: () => void = () => {};
    const host = scriptedCalls(
      () =>
        new Promise((resolve) => {
          answer = () => oneExecutor('late').call('getExecutor', request, LIMIT).then(resolve);
        }),
    );
    const service = await opened.serve({ host });
    const running = opened.calls(service.address).call('getExecutor', request, LIMIT);
    await vi.waitFor(() => expect(host.seen.length).toBe(1));
    const closing = service.close();
    answer();
    await expect(running).resolves.toMatchObject({ executor: { id: 'late' } });
    await closing;
  });

  it('breaks them off when its time is up', async () => {
    const host = scriptedCalls(() => null);
    const service = await opened.serve({ host });
    const running = opened.calls(service.address).call('getExecutor', request, LIMIT);
    running.catch(() => {});
    await vi.waitFor(() => expect(host.seen.length).toBe(1));
    await service.close(50);
    await expect(running).rejects.toMatchObject(unavailable);
    await vi.waitFor(() => expect(host.seen[0]?.signal?.aborted).toBe(true));
  });

  it('a port that is taken is UNAVAILABLE', async () => {
    const service = await opened.serve({ host: oneExecutor() });
    await expect(serveGrpc({ listen: service.address, host: oneExecutor() })).rejects.toMatchObject(
      unavailable,
    );
  });
});

/** A field of text of a message. */
function field(number: number, text: string): Buffer {
  return Buffer.concat([Buffer.of((number << 3) | 2, text.length), Buffer.from(text)]);
}

function fieldsOf(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === wanted) found.push(reader.bytes());
    else reader.skip(wireType, number);
  }
  return found;
}

/** Those that a file imports come before it. */
function inOrder(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto): void => {
    for (const path of file.dependency) add(files.find(({ name }) => name === path) as typeof file);
    ordered.add(file);
  };
  for (const file of files) add(file);
  return [...ordered];
}

function reflect(raw: RawClient, version: string, asked: Buffer): Promise<Buffer> {
  const same = (bytes: Buffer): Buffer => bytes;
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const call = raw.makeBidiStreamRequest(path, same, same, new Metadata());
  return new Promise((resolve, reject) => {
    call.on('data', (response: Buffer) => {
      resolve(response);
      call.end();
    });
    call.on('error', reject);
    call.write(asked);
  });
}
