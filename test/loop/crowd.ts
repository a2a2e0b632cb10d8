import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../../src/generator/random.ts';
import { accountClaims, identityOf, signAccountAssertion } from '../../src/sessions/protocol/account-assertion.ts';
import { attachToGateway } from '../../src/sessions/terminal/attach-to-gateway.ts';
import { Terminal } from '../../src/sessions/terminal/terminal.ts';
import type { Delivery } from '../../src/sessions/terminal/terminal-event.ts';
import { CALL_CONTENT } from './call-content.ts';
import { ACCOUNT_KEY_ID } from './loop-files.ts';
import { APPLICATIONS, type LoopApplication } from './loop-plan.ts';
import type { LoopWorld } from './loop-world.ts';

const FIRST_MSISDN = 15_550_100_000;
/** After so many unsponsored messages a terminal ends. */
const DIRECT_ENOUGH = 3;
const ROUNDS = 60;
const LOGIN_SECONDS = 60;

/** A terminal of the loop and what it has seen. */
export interface Member {
  application: LoopApplication;
  msisdn: string;
  terminal: Terminal;
  refusals: Record<string, number>;
}

export async function attachCrowd(world: LoopWorld, terminals: number): Promise<Member[]> {
  const members: Member[] = [];
  for (let at = 0; at < terminals; at++) {
    const application = APPLICATIONS[at % APPLICATIONS.length];
    const msisdn = String(FIRST_MSISDN + at);
    const account = `account-${at}`;
    const attached = await attachToGateway({
      controlUrl: world.gatewayUrl,
      secret: world.files.operatorSecret,
      msisdn,
    });
    const refusals: Record<string, number> = {};
    const terminal = new Terminal({
      msisdn,
      identityAssertion: attached.identityAssertion,
      dial: attached.dial,
      datagrams: attached.datagrams,
      applicationId: application.applicationId,
      applicationAccount: account,
      accountAssertion: (identityAssertion) => login(world, application, account, identityAssertion),
      region: `region-${1 + (Math.floor(at / APPLICATIONS.length) % 2)}`,
      dispatchUrl: world.dispatchUrl,
      directRelayUrl: world.relayUpstreams[application.applicationId],
      askAgainAfterMs: 60_000,
      onEvent(event) {
        if (event.type === 'refused') refusals[event.reason] = (refusals[event.reason] ?? 0) + 1;
      },
    });
    members.push({ application, msisdn, terminal, refusals });
  }
  return members;
}

/** What an application does when a user logs in: states the account for the identity assertion of the terminal. */
function login(
  { files }: LoopWorld,
  { applicationId, sponsorId }: LoopApplication,
  account: string,
  identityAssertion: string,
): Promise<string> {
  const statement = { issuer: sponsorId, applicationId, account, identity: identityOf(identityAssertion) };
  const by = { keyId: ACCOUNT_KEY_ID, privateKey: files.accountKeys[sponsorId] };
  return signAccountAssertion(accountClaims(statement, Date.now(), LOGIN_SECONDS), by);
}

/** All at once, each until its traffic is sponsored no more. */
export async function letThemTalk(world: LoopWorld, members: readonly Member[], seed: number): Promise<void> {
  await Promise.all(members.map((member, at) => talk(world, member, at, members.length, new Random(seed + at))));
}

async function talk(world: LoopWorld, member: Member, at: number, members: number, random: Random): Promise<void> {
  const { terminal, application } = member;
  await pause(random.integer(0, 1000));
  await terminal.start(['text']);
  let direct = 0;
  for (let round = 0; round < ROUNDS && direct < DIRECT_ENOUGH; round++) {
    const friend = random.integer(0, Math.max(0, Math.floor(members / APPLICATIONS.length) - 1));
    const to = `account-${friend * APPLICATIONS.length + (at % APPLICATIONS.length)}`;
    const delivery = await act(world, terminal, application.applicationId, to, random);
    if (delivery.via !== 'proxy' && delivery.reason !== 'content_not_covered') direct++;
    await pause(random.integer(0, 30));
  }
}

async function act(
  world: LoopWorld,
  terminal: Terminal,
  applicationId: string,
  to: string,
  random: Random,
): Promise<Delivery> {
  const media = `http://127.0.0.1:${world.mediaPorts[applicationId]}`;
  switch (random.weighted([4, 2, 2, 1, 1, 1])) {
    case 0:
      return terminal.sendText(to, 'x'.repeat(random.integer(1, 400)));
    case 1:
      return terminal.send('voice', to, Buffer.alloc(random.integer(2000, 30_000)));
    case 2:
      return terminal.send('image', to, Buffer.alloc(random.integer(10_000, 60_000)), 'picture.jpg');
    case 3:
      return (await terminal.upload(new URL(`${media}/f`), 'image', Buffer.alloc(random.integer(1000, 90_000))))
        .delivery;
    case 4:
      return (
        await terminal.call(
          { host: '127.0.0.1', port: world.callPorts[applicationId] },
          { contentType: CALL_CONTENT, durationMs: random.integer(100, 400) },
        )
      ).delivery;
    default:
      return (await terminal.download(new URL(`${media}/${random.integer(1000, 90_000)}`), 'image')).delivery;
  }
}
