import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FORMER_VARIABLES } from '../../src/platform/config/config-variables.ts';
import { ENGINE_RENAMES } from '../../src/platform/config/engine-renames.ts';
import type { KeyRename } from '../../src/platform/config/renamed-keys.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { DISPATCH_RENAMES } from '../../src/sessions/dispatch/dispatch-config-schema.ts';
import { GATEWAY_RENAMES } from '../../src/sessions/gateway/gateway-config.ts';
import { PROXY_RENAMES } from '../../src/sessions/proxy/proxy-config-schema.ts';

const UNITS = new Map([
  [1000, ' (seconds before)'],
  [86_400_000, ' (days before)'],
]);

/** A key as it was written: a map around it may have had another name, too. */
function formerKey({ from }: KeyRename, earlier: readonly KeyRename[]): readonly string[] {
  const around = earlier.findLast(({ to }) => to.length < from.length && to.every((step, i) => step === from[i]));
  return around === undefined ? from : [...around.from, ...from.slice(around.to.length)];
}

const shown = (path: readonly string[]) => `\`${path.join('.').replaceAll('*', '<name>')}\``;

function rowsOf(configuration: string, renames: readonly KeyRename[]): string[] {
  return renames.map((rename, at) => {
    const unit = UNITS.get(rename.factor ?? 1) ?? '';
    const former = shown(formerKey(rename, renames.slice(0, at)));
    return `| \`${configuration}\` | ${former} | ${shown(rename.to)}${unit} |`;
  });
}

test('the page of upgrades lists every former key and variable beside its name of today', () => {
  const page = readFileSync(packagePath('docs/operate/upgrading.md'), 'utf8');
  const [, table] = page.split('| configuration | former key | key |\n|---|---|---|\n');
  expect(table.trim().split('\n')).toEqual([
    ...rowsOf('zerorate.yaml', ENGINE_RENAMES),
    ...rowsOf('dispatch.yaml', DISPATCH_RENAMES),
    ...rowsOf('proxy.yaml', PROXY_RENAMES),
    ...rowsOf('gateway.yaml', GATEWAY_RENAMES),
    ...Object.entries(FORMER_VARIABLES).map(([former, name]) => `| environment | \`${former}\` | \`${name}\` |`),
  ]);
});
