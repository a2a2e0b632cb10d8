import { startClickHouseHttp } from './clickhouse-http.ts';

// Usage: node clickhouse-http-main.js DIRECTORY [PORT [CONFIG_FILE]]. Sends its parent, or prints, the URL when it is ready.
const [path, port, configFile] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: clickhouse-http-main DIRECTORY [PORT [CONFIG_FILE]]');
const server = await startClickHouseHttp({ path, port: Number(port ?? 0), ...(configFile && { configFile }) });

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await server.stop();
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
// A child must not outlive its parent, however that ends: the channel between them closes with the parent.
process.on('disconnect', stop);

if (process.send) process.send(server.url);
else console.log(server.url);
