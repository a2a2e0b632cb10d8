import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { packagePath } from '../../src/platform/package-paths.ts';
import { nodeBinary } from './node-binaries.ts';

/** The oldest that `engines` in package.json takes. */
const OLDEST = '20.19.0';
const OF_IMAGE = /^ARG NODE_VERSION=(\S+)$/m.exec(readFileSync(packagePath('docker/Dockerfile'), 'utf8'))?.[1] ?? '';

// Prints the folder of the other Node.js: the image's, or the oldest that is supported where this one is of the image's line.
const isOfImage = process.versions.node.split('.')[0] === OF_IMAGE.split('.')[0];
console.log(dirname(await nodeBinary(isOfImage ? OLDEST : OF_IMAGE)));
