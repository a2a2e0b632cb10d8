import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { leafHash, MerkleTree, rootOfProof } from './merkle.ts';

/** RFC 6962, section 2.1, word for word: split at the largest power of two below n. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), leaves[0]);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Uint8Array.of(1), rootByDefinition(leaves.slice(0, split)), rootByDefinition(leaves.slice(split)));
}

function sha256(...parts: Uint8Array[]): Uint8Array {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

function treeOf(leaves: readonly Uint8Array[]) {
  const tree = new MerkleTree();
  const proofs = leaves.map((leaf) => tree.addProven(leafHash(leaf)));
  return { root: tree.root(), proofs, count: tree.count };
}

const hex = (octets: Uint8Array | null) => (octets === null ? null : Buffer.from(octets).toString('hex'));
const leavesOf = (count: number) => Array.from({ length: count }, (_, at) => Buffer.from(`leaf ${at}`));

/** The test vectors that Certificate Transparency's own implementations share. */
test.each([
  [0, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  [1, '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
  [2, 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
  [3, 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'],
  [5, '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'],
  [7, 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'],
  [8, '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
])('the root of %i leaves is the published one', (count, root) => {
  const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
  expect(hex(treeOf(leaves.slice(0, count).map((leaf) => Buffer.from(leaf, 'hex'))).root)).toBe(root);
});

test('the root follows the definition, and every leaf’s proof leads to it', () => {
  for (let count = 1; count <= 70; count++) {
    const leaves = leavesOf(count);
    const { root, proofs } = treeOf(leaves);
    expect(hex(root)).toBe(hex(rootByDefinition(leaves)));
    const roots = leaves.map((leaf, at) => hex(rootOfProof(leafHash(leaf), proofs[at], count)));
    expect(new Set(roots)).toEqual(new Set([hex(root)]));
  }
});

test('a proof holds for its own leaf, place, path and count alone', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), (count, at, other) => {
      const leaves = leavesOf(count);
      const { root, proofs } = treeOf(leaves);
      const index = at % count;
      const { path } = proofs[index];
      const leadsToRoot = (leaf: Uint8Array, proof: (typeof proofs)[0], size: number) =>
        hex(rootOfProof(leafHash(leaf), proof, size)) === hex(root);
      const wrong = other % count === index ? (index + 1) % count : other % count;
      expect(leadsToRoot(leaves[wrong], proofs[index], count)).toBe(false);
      expect(leadsToRoot(leaves[index], { index: wrong, path }, count)).toBe(false);
      expect(leadsToRoot(leaves[index], { index, path: path.slice(1) }, count)).toBe(false);
      expect(leadsToRoot(leaves[index], { index, path: [...path, path[0]] }, count)).toBe(false);
      expect(leadsToRoot(leaves[index], { index: count, path }, count)).toBe(false);
    }),
  );
});

test('a leaf is no node: the concatenated hashes of two leaves are another leaf than their node', () => {
  const [left, right] = leavesOf(2);
  const { root } = treeOf([left, right]);
  const forged = Buffer.concat([Uint8Array.of(1), leafHash(left), leafHash(right)]);
  expect(hex(treeOf([forged]).root)).not.toBe(hex(root));
});

test('a proof whose path is longer or shorter than the tree’s leads to no root, and neither does an index outside of it', () => {
  const leaf = leafHash(Buffer.from('leaf'));
  expect(rootOfProof(leaf, { index: 0, path: [] }, 1)).toEqual(leaf);
  expect(rootOfProof(leaf, { index: 0, path: [leaf] }, 1)).toBeNull();
  expect(rootOfProof(leaf, { index: 0, path: [] }, 2)).toBeNull();
  expect(rootOfProof(leaf, { index: -1, path: [leaf] }, 2)).toBeNull();
  expect(rootOfProof(leaf, { index: 2, path: [leaf] }, 2)).toBeNull();
});

test('a tree counts its leaves', () => {
  expect(treeOf(leavesOf(5)).count).toBe(5);
});
