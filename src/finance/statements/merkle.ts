import { createHash } from 'node:crypto';

/**
 * A Merkle tree with SHA-256 as RFC 6962, section 2.1, defines it: a leaf is the hash of 0x00 and its bytes, a node of 0x01
 * and its two children, and a node without a sibling is promoted. Leaves are added one at a time. Only the roots of the
 * complete subtrees are kept, one for each binary 1 in the count.
 */
export class MerkleTree {
  readonly #subtrees: Subtree[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds the next leaf by its hash. */
  add(leaf: Uint8Array): void {
    this.#add(leaf, []);
  }

  /** Adds the next leaf and returns its proof; the path is complete once `root` was called. */
  addProven(leaf: Uint8Array): InclusionProof {
    const proof: InclusionProof = { index: this.#count, path: [] };
    this.#add(leaf, [proof]);
    return proof;
  }

  /** Returns the root over all leaves; without leaves it is the hash of nothing. No leaf may follow. */
  root(): Uint8Array {
    while (this.#subtrees.length > 1) this.#join();
    return this.#subtrees[0]?.hash ?? createHash('sha256').digest();
  }

  #add(hash: Uint8Array, proven: InclusionProof[]): void {
    this.#subtrees.push({ size: 1, hash, proven });
    this.#count++;
    while (this.#subtrees.length > 1 && this.#subtrees.at(-1)?.size === this.#subtrees.at(-2)?.size) this.#join();
  }

  /** Joins the last two subtrees. */
  #join(): void {
    const [left, right] = this.#subtrees.splice(-2);
    for (const { path } of left.proven) path.push(right.hash);
    for (const { path } of right.proven) path.push(left.hash);
    const proven = left.proven.length + right.proven.length === 0 ? NOTHING : [...left.proven, ...right.proven];
    this.#subtrees.push({ size: left.size + right.size, hash: nodeHash(left.hash, right.hash), proven });
  }
}

/** Proof that a leaf is in a tree: its place, and the siblings on its path to the root. */
export interface InclusionProof {
  index: number;
  path: Uint8Array[];
}

interface Subtree {
  size: number;
  hash: Uint8Array;
  proven: readonly InclusionProof[];
}

const NOTHING: readonly InclusionProof[] = [];
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export function leafHash(octets: Uint8Array): Uint8Array {
  return createHash('sha256').update(LEAF).update(octets).digest();
}

/**
 * Returns the root that a leaf and its proof lead to in a tree of `count` leaves (RFC 9162, section 2.1.3.2); null when the
 * path does not have the length of such a tree's.
 */
export function rootOfProof(leaf: Uint8Array, { index, path }: InclusionProof, count: number): Uint8Array | null {
  if (index < 0 || index >= count) return null;
  let place = index;
  let last = count - 1;
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0) return null;
    if (place % 2 === 1 || place === last) {
      hash = nodeHash(sibling, hash);
      // A promoted node has no sibling until it is a right child.
      while (place % 2 === 0 && place !== 0) [place, last] = [place / 2, Math.floor(last / 2)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
  }
  return last === 0 ? hash : null;
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash('sha256').update(NODE).update(left).update(right).digest();
}
