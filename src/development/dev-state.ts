import type { TerminalState } from './dev-terminal.ts';
import type { DevWorld } from './dev-world.ts';

const STORE_TIMEOUT_MS = 5000;

/** What the engine has booked under the terminals' application, of one subscriber or of one plan. */
interface ChargedUse {
  sponsoredOctets: number;
  subscriberOctets: number;
  /** Micro-units of the currency. */
  chargeMicros: string;
  currency: string;
  records: number;
}

/** What the page shows. */
export interface DevState {
  application: string;
  terminals: (TerminalState & { charged: ChargedUse | null })[];
  /** Flow records by outcome; the application is empty where none is known. */
  outcomes: { applicationId: string; reason: string; records: number; octets: number }[];
  balances: { sponsorId: string; currency: string; balanceMicros: string }[];
  programs: { name: string; pid: number | null; isRunning: boolean; logFile: string }[];
  /** Why the store's part is missing; null: it is there. */
  storeFault: string | null;
}

export async function readDevState(world: DevWorld): Promise<DevState> {
  const { settings, terminals, pseudonymKey } = world;
  const store = await readStore(world).catch((error: Error) => ({
    ...{ charges: new Map<string, ChargedUse>(), outcomes: [], balances: [] },
    storeFault: error.message,
  }));
  const { charges, ...shown } = store;
  return {
    application: settings.dev.application,
    terminals: terminals.map((terminal) => ({
      ...terminal.state(),
      charged: charges.get(pseudonymKey?.pseudonymOf(terminal.msisdn).toString('hex') ?? '') ?? null,
    })),
    ...shown,
    programs: programsOf(world),
  };
}

async function readStore(world: DevWorld) {
  const [charges, outcomes, balances] = await Promise.all([
    askStore<[string, number, number, string, string, number]>(
      world,
      'SELECT subscriber, sum(sponsored_octets), sum(subscriber_octets), toString(sum(charge_micros)), any(currency), count() ' +
        'FROM charges WHERE application_id = {application:String} GROUP BY subscriber',
    ),
    askStore<[string, string, number, number]>(
      world,
      'SELECT application_id, reason, sum(records), sum(octets) FROM outcomes GROUP BY application_id, reason ORDER BY 1, 2',
    ),
    askStore<[string, string, string]>(
      world,
      'SELECT sponsor_id, currency, toString(balance_micros) FROM account_balances ORDER BY 1',
    ),
  ]);
  return {
    charges: new Map(
      charges.map(([subscriber, sponsoredOctets, subscriberOctets, chargeMicros, currency, records]) => [
        subscriber,
        { sponsoredOctets, subscriberOctets, chargeMicros, currency, records },
      ]),
    ),
    outcomes: outcomes.map(([applicationId, reason, records, octets]) => ({ applicationId, reason, records, octets })),
    balances: balances.map(([sponsorId, currency, balanceMicros]) => ({ sponsorId, currency, balanceMicros })),
    storeFault: null,
  };
}

async function askStore<T>({ storeUrl, settings }: DevWorld, sql: string): Promise<T[]> {
  const url = new URL(storeUrl);
  url.searchParams.set('database', settings.engine.store.database);
  url.searchParams.set('param_application', settings.dev.application);
  url.searchParams.set('output_format_json_quote_64bit_integers', '0');
  const response = await fetch(url, {
    method: 'POST',
    body: `${sql} FORMAT JSONCompactEachRow`,
    signal: AbortSignal.timeout(STORE_TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`the store answers ${response.status}: ${text.slice(0, 300)}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

function programsOf({ programs }: DevWorld): DevState['programs'] {
  const { engine, dispatch, gateway, proxies } = programs;
  return [engine, gateway, dispatch, ...proxies].map(({ command, pid = null, isRunning, logFile }) => ({
    name: command === 'run' ? 'engine' : command,
    pid,
    isRunning,
    logFile,
  }));
}
