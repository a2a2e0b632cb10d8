import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An application's media host: `PUT` takes a file of any name, `GET /<octets>` gives one of so many octets. */
export class MediaHost {
  #server: Server | null = null;
  readonly counts = { uploads: 0, downloads: 0 };

  /** Listens at the port, or at a free one, and resolves with it. */
  async start(host: string, port = 0): Promise<number> {
    const server = createServer((request, response) => this.#answer(request, response));
    server.listen(port, host);
    await once(server, 'listening');
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    request.on('error', () => {});
    if (request.method === 'PUT') {
      request.resume();
      request.on('end', () => {
        this.counts.uploads++;
        response.writeHead(201, { 'content-length': 0 }).end();
      });
      return;
    }
    this.counts.downloads++;
    const octets = Number(request.url?.slice(1));
    response.writeHead(200, { 'content-length': octets, 'content-type': 'application/octet-stream' });
    response.end(Buffer.alloc(octets, 7));
  }
}
