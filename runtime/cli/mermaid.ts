/**
 * @file A compiled computation as a Mermaid flowchart: what is done at the server, what at the
 * clients, and what moves between them.
 */

import { type BuildingBlock, childBlocks } from '../../computations/building-blocks.ts';
import type { AnyComputation } from '../../computations/computation.ts';
import { freeReferences } from '../../computations/free-references.ts';
import { bodyOf, type Local } from '../../computations/transformations/index.ts';
import { compactNotation, type Type } from '../../computations/types/index.ts';
import { compileForExecution, INTRINSICS } from '../../intrinsics/index.ts';

/** The text of the flowchart. Thick arrows are what clients send to the server. */
export function toMermaid(computation: AnyComputation): string {
  const compiled = compileForExecution(computation.buildingBlock);
  const chart = new Chart();
  const parameter = compiled.kind === 'lambda' ? compiled.parameter : null;
  const body = bodyOf(compiled.kind === 'lambda' ? compiled.result : compiled);
  if (parameter !== null && compiled.type.kind === 'function' && compiled.type.parameter !== null) {
    chart.addParameter(parameter, compiled.type.parameter);
  }
  for (const local of body.locals) chart.addCall(local);
  chart.addResult(body.result);
  return chart.toString();
}

type Place = 'clients' | 'server' | 'none';

interface ChartNode {
  readonly id: string;
  readonly label: string;
  readonly shape: 'round' | 'box';
  readonly place: Place;
}

class Chart {
  readonly #nodes: ChartNode[] = [];
  readonly #edges: string[] = [];
  /** For each name, or part of a parameter, the node that it comes from. */
  readonly #ids = new Map<string, string>();
  #parameter: string | null = null;

  addParameter(name: string, type: Type): void {
    this.#parameter = name;
    const elements =
      type.kind === 'struct'
        ? type.elements.map((element, index) => ({ ...element, key: `${name}[${index}]` }))
        : [{ name, type, key: name }];
    for (const [index, element] of elements.entries()) {
      const id = this.#add({
        label: `${element.name ?? index}: ${shorten(compactNotation(element.type))}`,
        shape: 'round',
        place: placeOf(element.type),
      });
      this.#ids.set(element.key, id);
    }
  }

  addCall({ name, value }: Local): void {
    const id = this.#add({ label: labelOf(value), shape: 'box', place: placeOf(value.type) });
    this.#ids.set(name, id);
    const thick = value.kind === 'call' && isAggregation(value.function);
    for (const source of this.#sourcesOf(value)) {
      this.#edges.push(`${source} ${thick ? '==>' : '-->'} ${id}`);
    }
  }

  addResult(result: BuildingBlock): void {
    const id = this.#add({
      label: `result: ${shorten(compactNotation(result.type))}`,
      shape: 'round',
      place: placeOf(result.type),
    });
    for (const source of this.#sourcesOf(result)) this.#edges.push(`${source} --> ${id}`);
  }

  toString(): string {
    const lines = ['flowchart TD'];
    const draw = ({ id, label, shape }: ChartNode): string =>
      shape === 'round' ? `${id}(["${escapeHtml(label)}"])` : `${id}["${escapeHtml(label)}"]`;
    for (const place of ['clients', 'server'] as const) {
      const here = this.#nodes.filter((node) => node.place === place);
      if (here.length === 0) continue;
      lines.push(`  subgraph ${place}`, ...here.map((node) => `    ${draw(node)}`), '  end');
    }
    lines.push(
      ...this.#nodes.filter(({ place }) => place === 'none').map((node) => `  ${draw(node)}`),
      ...this.#edges.map((edge) => `  ${edge}`),
    );
    return lines.join('\n');
  }

  #add(node: Omit<ChartNode, 'id'>): string {
    const id = `n${this.#nodes.length}`;
    this.#nodes.push({ id, ...node });
    return id;
  }

  /** The nodes that a block takes its values from. */
  #sourcesOf(node: BuildingBlock): ReadonlySet<string> {
    const sources = new Set<string>();
    const visit = (inner: BuildingBlock): void => {
      const key =
        inner.kind === 'selection' && inner.source.kind === 'reference'
          ? `${inner.source.name}[${inner.index}]`
          : inner.kind === 'reference'
            ? inner.name
            : null;
      const id = key === null ? undefined : this.#ids.get(key);
      if (id !== undefined) sources.add(id);
      else if (inner.kind === 'reference' && inner.name === this.#parameter) {
        for (const [part, partId] of this.#ids) {
          if (part.startsWith(`${inner.name}[`)) sources.add(partId);
        }
      } else if (inner.kind !== 'lambda') for (const child of childBlocks(inner)) visit(child);
      else {
        for (const name of freeReferences(inner)) {
          const captured = this.#ids.get(name);
          if (captured !== undefined) sources.add(captured);
        }
      }
    };
    visit(node);
    return sources;
  }
}

function placeOf(type: Type): Place {
  if (type.kind === 'federated') {
    const { placement } = type;
    return placement === 'clients' ? 'clients' : placement === 'server' ? 'server' : 'none';
  }
  if (type.kind !== 'struct' || type.elements.length === 0) return 'none';
  const places = new Set(type.elements.map((element) => placeOf(element.type)));
  const [only = 'none'] = places;
  return places.size === 1 ? only : 'none';
}

/** What is called, and for a map with what. */
function labelOf(node: BuildingBlock): string {
  if (node.kind !== 'call') return node.kind;
  const { function: fn, argument } = node;
  const name = fn.kind === 'intrinsic' ? (fn.origin ?? fn.uri) : nameOf(fn);
  const [mapper] = argument?.kind === 'struct' ? argument.elements : [];
  const isMap = fn.kind === 'intrinsic' && fn.origin === undefined && mapper !== undefined;
  return isMap && mapper.value.type.kind === 'function' ? `${name} ${nameOf(mapper.value)}` : name;
}

function nameOf(fn: BuildingBlock): string {
  if (fn.kind === 'compiled') return fn.name;
  if (fn.kind === 'intrinsic') return fn.uri;
  const called = childBlocks(fn)
    .map(nameOf)
    .filter((name) => name !== '');
  return [...new Set(called)].join(', ');
}

function isAggregation(fn: BuildingBlock): boolean {
  return fn.kind === 'intrinsic' && (INTRINSICS.get(fn.uri)?.aggregation ?? null) !== null;
}

const LONGEST = 60;

function shorten(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('"', '&quot;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}
