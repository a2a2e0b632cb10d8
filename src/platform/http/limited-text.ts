/** Returns a body as text; null if it is larger: the rest is not read, and its connection is closed. Rejects where the body breaks off. */
export async function limitedText(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string | null> {
  const bytes = await limitedBytes(body, maxBytes);
  return bytes === null ? null : bytes.toString('utf8');
}

/** The same as bytes. */
export async function limitedBytes(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    // Leaving the loop destroys the body.
    if (bytes > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
