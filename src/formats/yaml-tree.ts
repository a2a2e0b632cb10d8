import { type AliasEvent, EVENT_ID, type Event, getScalarValue } from 'js-yaml';
import type { DocumentPath } from './document-fault.ts';

/** How many values aliases may repeat in all: a few lines of YAML can name billions. */
const MAX_REPEATED_VALUES = 100_000;

abstract class YamlTreeError extends Error {
  /** In the text, from 0. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

export class ComplexKeyError extends YamlTreeError {
  override readonly name = 'ComplexKeyError';
}

export class ExcessiveAliasError extends YamlTreeError {
  override readonly name = 'ExcessiveAliasError';
}

/** A collection whose end is not reached yet. */
interface OpenNode {
  at: number;
  anchor: string;
  values: number;
  children: number;
}

/**
 * The places of a document's values, over the events of its parser. Throws a ComplexKeyError at a key that is a list or a map,
 * and an ExcessiveAliasError where aliases repeat more values than a document needs, or a value that holds itself.
 */
export class YamlTree {
  readonly #text: string;
  readonly #events: readonly Event[];
  /** By event: where the node that begins there ends, exclusively. */
  readonly #ends: Uint32Array;
  /** By name: the event of the anchored node. */
  readonly #anchors = new Map<string, number>();
  /** Where a second document begins; null if there is none. */
  readonly secondDocumentOffset: number | null;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
    this.#ends = new Uint32Array(events.length);
    this.#measure();
    const second = events.findIndex((event, at) => at > 0 && event.type === EVENT_ID.DOCUMENT);
    this.secondDocumentOffset = second === -1 ? null : Math.max(0, text.lastIndexOf('---', this.#offsetAt(second + 1)));
  }

  /** The offset of the key or entry that the path names; of the nearest node above it if it is absent. */
  offsetOf(path: DocumentPath): number {
    let node = 1;
    let offset = Math.max(0, this.#offsetAt(node));
    for (const step of path) {
      node = this.#resolved(node);
      const found = this.#child(node, step);
      if (found === null) return offset;
      const at = this.#offsetAt(found.named);
      if (at >= 0) offset = at;
      node = found.value;
    }
    return offset;
  }

  #child(node: number, step: string | number | symbol): { named: number; value: number } | null {
    const { type } = this.#events[node] ?? { type: EVENT_ID.POP };
    const last = this.#ends[node] - 1;
    if (type === EVENT_ID.MAPPING) {
      for (let key = node + 1; key < last; key = this.#ends[this.#ends[key]]) {
        const event = this.#events[key];
        const value = this.#ends[key];
        if (event.type === EVENT_ID.SCALAR && getScalarValue(this.#text, event) === String(step))
          return { named: key, value };
      }
    }
    if (type === EVENT_ID.SEQUENCE && typeof step === 'number') {
      let entry = node + 1;
      for (let index = 0; index < step && entry < last; index++) entry = this.#ends[entry];
      if (entry < last) return { named: entry, value: entry };
    }
    return null;
  }

  #resolved(node: number): number {
    const event = this.#events[node];
    return event?.type === EVENT_ID.ALIAS ? (this.#anchors.get(this.#nameOf(event)) ?? node) : node;
  }

  #nameOf({ anchorStart, anchorEnd }: Pick<AliasEvent, 'anchorStart' | 'anchorEnd'>): string {
    return anchorStart < 0 ? '' : this.#text.slice(anchorStart, anchorEnd);
  }

  #offsetAt(node: number): number {
    const event = this.#events[node];
    switch (event?.type) {
      case EVENT_ID.MAPPING:
      case EVENT_ID.SEQUENCE:
        return event.start;
      case EVENT_ID.SCALAR:
        return event.valueStart;
      case EVENT_ID.ALIAS:
        return event.anchorStart;
      default:
        return 0;
    }
  }

  #measure(): void {
    const open: OpenNode[] = [];
    const valuesOf = new Map<string, number>();
    let repeated = 0;
    const close = (at: number, end: number, anchor: string, values: number): void => {
      this.#ends[at] = end;
      if (anchor !== '') {
        this.#anchors.set(anchor, at);
        valuesOf.set(anchor, values);
      }
      const parent = open.at(-1);
      if (parent === undefined) return;
      parent.values += values;
      parent.children += 1;
    };
    this.#events.forEach((event, at) => {
      const parent = open.at(-1);
      if (event.type === EVENT_ID.POP) {
        const node = open.pop();
        if (node !== undefined) close(node.at, at + 1, node.anchor, node.values);
      } else if (event.type === EVENT_ID.SCALAR) {
        close(at, at + 1, this.#nameOf(event), 1);
      } else if (event.type === EVENT_ID.ALIAS) {
        const name = this.#nameOf(event);
        if (open.some(({ anchor }) => anchor === name)) {
          throw new ExcessiveAliasError(`the alias ${name} is inside of the value that it names`, event.anchorStart);
        }
        // The parser's own message names an alias without its anchor.
        const values = valuesOf.get(name) ?? 1;
        repeated += values;
        if (repeated > MAX_REPEATED_VALUES)
          throw new ExcessiveAliasError(`aliases repeat more than ${MAX_REPEATED_VALUES} values`, event.anchorStart);
        close(at, at + 1, '', values);
      } else {
        if (parent !== undefined && this.#events[parent.at].type === EVENT_ID.MAPPING && parent.children % 2 === 0)
          throw new ComplexKeyError('a key has to be text, not a list or a map', this.#offsetAt(at));
        const anchor = event.type === EVENT_ID.DOCUMENT ? '' : this.#nameOf(event);
        open.push({ at, anchor, values: 1, children: 0 });
      }
    });
  }
}
