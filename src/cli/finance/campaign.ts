import type { Command } from 'commander';
import {
  type ConfigOptions,
  readCatalogue,
  readCataloguePath,
  readKeyConfig,
  readStoreConfig,
} from '../../engine/assembly/read-config.ts';
import { bookKey, loadKey } from '../../engine/running/load-key.ts';
import { campaignsIn } from '../../finance/campaigns/campaign-rules.ts';
import { CampaignWatcher } from '../../finance/campaigns/campaign-watcher.ts';
import {
  type AudienceChange,
  type AudienceDifference,
  bookPause,
  changeAudience,
  textFault,
} from '../../finance/campaigns/change-campaign.ts';
import { suggestion } from '../../formats/nearest-word.ts';
import { openForBooking } from '../../journal/open-store.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { counted } from '../../platform/telemetry/terminal-output.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { operator } from './account-booking.ts';
import { SubscriberList } from './campaign-list.ts';
import { registerCampaignShow } from './campaign-show.ts';

type CampaignOptions = Pick<ConfigOptions, 'config' | 'store' | 'catalogue'>;
type PauseOptions = CampaignOptions & { key: string; who?: string; why: string };
type AudienceOptions = CampaignOptions & { who?: string; why: string; file?: string; dryRun?: boolean };

const PAUSES = {
  pause: 'stop a campaign: batches that an engine begins more than 1000 ms later are not charged to it',
  resume: 'end the pause of a campaign',
} as const;

export function registerCampaign(program: Command): void {
  const campaign = program
    .command('campaign')
    .description('show campaigns, pause and resume them, and say who takes part')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate campaign show --config zerorate.yaml
  $ zerorate campaign pause chat-launch --key legal-18 --why "under review" --config zerorate.yaml
  $ zerorate campaign audience chat-launch opted-in.txt --why "list of 2 November" --dry-run --config zerorate.yaml
  $ zerorate campaign opt-out chat-launch 999001960785 --why "asked to leave" --config zerorate.yaml

A campaign is named by the id of its plan. Subscribers are MSISDNs or pseudonyms; the store has the pseudonyms alone.`,
    );
  registerCampaignShow(campaign);
  for (const kind of ['pause', 'resume'] as const) registerPause(campaign, kind);
  registerOpt(campaign, 'opt-in', 'add subscribers to a campaign’s audience');
  registerOpt(campaign, 'opt-out', 'remove subscribers from a campaign’s audience');
  registerAudience(campaign);
  registerWatch(campaign);
}

function withCampaignOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration that names the store and the catalogue')
    .option('--store <directory>', 'directory of the embedded store')
    .option('--catalogue <file>', 'the catalogue');
}

function withBookingOptions(command: Command): Command {
  return withCampaignOptions(command)
    .requiredOption('--why <text>', 'the reason, without anything that identifies a subscriber')
    .option('--who <name>', 'who books it (default: the user of the operating system)');
}

function registerPause(campaign: Command, kind: keyof typeof PAUSES): void {
  withBookingOptions(campaign.command(kind).argument('<campaign>', 'its id').description(PAUSES[kind]))
    .requiredOption('--key <text>', 'the idempotency key: what is booked once under it')
    .action(async (id: string, options: PauseOptions) => {
      const { key, who = operator(), why } = options;
      const campaignId = requireCampaign(id, options).id;
      requireTexts({ key, who, why });
      const store = await openCampaigns(readStoreConfig(options));
      try {
        const booking = await bookPause(store, { kind, campaignId, idempotencyKey: key, who, why }, systemClock);
        if (booking.outcome === 'refused') throw new ConfigError(booking.message);
        const { outcome, number } = booking;
        const line = outcome === 'booked' ? `booked as fact ${number}` : `is fact ${number} already; nothing to do`;
        process.stdout.write(`${kind} of ${campaignId}: ${line}\n`);
      } finally {
        await store.close();
      }
    });
}

function registerOpt(campaign: Command, change: 'opt-in' | 'opt-out', what: string): void {
  withBookingOptions(campaign.command(change).description(what))
    .argument('<campaign>', 'its id')
    .argument('[subscriber...]', 'MSISDNs or pseudonyms')
    .option('--file <list>', 'a file with a subscriber on each line; - for standard input')
    .option('--dry-run', 'say what would change, and change no audience')
    .action((id: string, subscribers: string[], options: AudienceOptions) => {
      if (subscribers.length === 0 && options.file === undefined) {
        throw new ConfigError('which subscribers? Name them, or a file of them with --file LIST');
      }
      return changeByList(change, id, subscribers, options);
    });
}

function registerAudience(campaign: Command): void {
  withBookingOptions(campaign.command('audience').description('replace a campaign’s audience by a list'))
    .argument('<campaign>', 'its id')
    .argument('<list>', 'a file with a subscriber on each line, MSISDN or pseudonym; - for standard input')
    .option('--dry-run', 'say what would change, and change no audience')
    .addHelpText(
      'after',
      `
Who is in the list and not in the audience opts in, and who is in the audience and not in the list opts out. The same list again books
nothing. A list with a fault is refused as a whole.`,
    )
    .action((id: string, list: string, options: AudienceOptions) =>
      changeByList('replace', id, [], { ...options, file: list }),
    );
}

async function changeByList(
  change: AudienceChange,
  id: string,
  subscribers: readonly string[],
  options: AudienceOptions,
): Promise<void> {
  const { who = operator(), why, file, dryRun = false } = options;
  const { id: campaignId, isForEveryone } = requireCampaign(id, options);
  requireTexts({ who, why });
  if (isForEveryone) {
    throw new ConfigError(
      `campaign ${campaignId} is for everyone: give it \`audience: opted-in\` in the catalogue first`,
    );
  }
  const config = readKeyConfig(options, { withStore: true });
  const store = await openCampaigns(config.store);
  try {
    const loaded = await loadKey(config, createLogger({ level: 'warn', format: 'json' }));
    // Pseudonyms of another key would be no subscriber's.
    await bookKey(store, loaded);
    const list = new SubscriberList(loaded.key, config.msisdn, change === 'replace');
    subscribers.forEach((entry, at) => {
      list.add(entry, `subscriber ${at + 1}`);
    });
    if (file !== undefined) await list.addFile(file);
    const listed = list.listed();
    if (change === 'replace' && listed.size === 0) {
      throw new ConfigError(
        `${file}: names no subscriber, and would opt out all; pause the campaign, or opt them out by a list`,
      );
    }
    if ([who, why].some((text) => list.isNamedIn(text))) {
      throw new ConfigError('--who and --why are kept: leave the subscriber’s number out of them');
    }
    const booked = await changeAudience(store, { campaignId, change, listed, who, why, dryRun }, systemClock);
    process.stdout.write(`${describeChange(campaignId, list.entries, listed.size, booked, dryRun)}\n`);
  } finally {
    await store.close();
  }
}

function describeChange(
  campaignId: string,
  entries: number,
  subscribers: number,
  { optedIn, optedOut, size }: AudienceDifference,
  dryRun: boolean,
): string {
  const repeated = entries === subscribers ? '' : ` (${counted(entries - subscribers, 'repetition')} left out)`;
  const list = `${counted(subscribers, 'subscriber')} listed${repeated}`;
  if (optedIn + optedOut === 0) return `${campaignId}: ${list}; the audience of ${size} does not change`;
  const verb = dryRun ? 'would opt' : 'opted';
  const after = dryRun ? 'would then have' : 'has';
  return `${campaignId}: ${list}; ${optedIn} ${verb} in, ${optedOut} ${verb} out; the audience ${after} ${counted(size, 'subscriber')}`;
}

function registerWatch(campaign: Command): void {
  withCampaignOptions(
    campaign
      .command('watch')
      .description('compare use with caps and thresholds once, and book what is reached; `run` does this continuously')
      .requiredOption('--once', 'required: check once and exit'),
  ).action(async (options: CampaignOptions) => {
    const campaigns = campaignsIn(readCatalogue(readCataloguePath(options)));
    const store = await openCampaigns(readStoreConfig(options));
    try {
      const watcher = new CampaignWatcher({ store, campaigns, clock: systemClock, checkIntervalMs: 0 });
      const booked = await watcher.check();
      for (const { kind, campaignId, why } of booked) process.stdout.write(`${kind} of ${campaignId}: ${why}\n`);
      process.stdout.write(
        `${counted(campaigns.length, 'campaign')} checked, ${counted(booked.length, 'fact')} booked\n`,
      );
    } finally {
      await store.close();
    }
  });
}

/** Opens a store that is there: a pause in one that a mistyped path has made would stop no campaign. */
async function openCampaigns(config: Parameters<typeof openForBooking>[0]): Promise<Store> {
  return (await openForBooking(config, { create: false })).store;
}

/** Returns a campaign of the catalogue. Throws a ConfigError when there is none of this id. */
function requireCampaign(id: string, options: CampaignOptions): { id: string; isForEveryone: boolean } {
  const path = readCataloguePath(options);
  const { plans }: Catalogue = readCatalogue(path);
  const versions = plans.filter((plan) => plan.id === id).flatMap(({ campaign }) => campaign ?? []);
  if (versions.length > 0) return { id, isForEveryone: versions.every(({ audience }) => audience === 'everyone') };
  if (plans.some((plan) => plan.id === id))
    throw new ConfigError(`${path}: plan ${id} is no campaign: it has no \`campaign\``);
  const ids = plans.filter(({ campaign }) => campaign !== undefined).map((plan) => plan.id);
  throw new ConfigError(`${path}: has no campaign "${id}"${suggestion(id, ids)}`);
}

function requireTexts(texts: Parameters<typeof textFault>[0]): void {
  const fault = textFault(texts);
  if (fault !== null) throw new ConfigError(fault);
}
