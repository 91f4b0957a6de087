/**
 * A coordinator for `--break fence|durability`: wired as `server/main.ts` does it, over a log whose
 * port is wrapped. Arguments: breakage, node, port, URL of the log.
 */
import { createAccess } from '../../../server/api/access.ts';
import { createApp } from '../../../server/api/app.ts';
import { attachChannel } from '../../../server/api/channel.ts';
import { listen } from '../../../server/api/listen.ts';
import { createValidators } from '../../../server/api/schemas.ts';
import { createAudit } from '../../../server/desk/audit.ts';
import { createDesk } from '../../../server/desk/desk.ts';
import { createLookout } from '../../../server/desk/lookout.ts';
import { createChannelTransport } from '../../../server/dispatch/channel-transport.ts';
import { createEngine, type Engine } from '../../../server/engine/engine.ts';
import { engineDefaults } from '../../../server/engine/limits.ts';
import { openLog } from '../../../server/log/index.ts';
import { createLogger } from '../../../server/observe/log.ts';
import { systemClock } from '../../../server/runtime/clock.ts';
import { newGid } from '../../../server/runtime/id.ts';
import { systemRandom } from '../../../server/runtime/random.ts';
import { withoutDurability, withoutFence } from './broken-log.ts';

/** As `settle server` ends when its log is not there yet. */
const exitUnreachable = 6;

async function main(): Promise<void> {
  const [breakage, node = '', port = '', url = ''] = process.argv.slice(2);
  const logger = createLogger('warn');
  const clock = systemClock();
  const opened = await openLog(url, { migrate: false });
  const log = breakage === 'fence' ? withoutFence(opened) : withoutDurability(opened);
  const transport = createChannelTransport({
    clock,
    offered: (service) => engine.participantReady(service),
  });
  const engine: Engine = createEngine({
    clock,
    random: systemRandom(),
    log,
    transports: [transport],
    // The same times as the whole coordinator has in a run.
    options: {
      ...engineDefaults,
      callTimeoutMs: 3_000,
      retry: { ...engineDefaults.retry, capMs: 2_000 },
    },
    onFenced: () => logger.warn('fenced, and it goes on all the same'),
  });
  const validators = createValidators();
  const access = createAccess([], clock);
  const term = () => ({ node, epoch: engine.stats().epoch });
  const desk = createDesk({
    coordinator: engine,
    audit: createAudit({ clock, log, term }),
    isReadOnly: true,
    doctor: { examine: async () => ({ atMs: 0, findings: [] }) },
  });
  const lookout = createLookout({
    ...{ clock, log, desk, coordinator: engine, channel: transport },
    callbacks: null,
    retry: engineDefaults.retry,
    node: { node, version: '0', startedAtMs: clock.nowMs(), address: () => listener.url() },
    logUrl: 'broken',
    config: { settings: [] },
  });
  const app = createApp({
    coordinator: engine,
    desk,
    lookout,
    validators,
    access,
    isReadOnly: false,
    connectedServices: () => [],
    callsQueued: () => ({ channel: 0, http: 0 }),
    newGid: () => newGid(clock.nowMs()),
    logger,
  });
  attachChannel(app.server, {
    coordinator: engine,
    validators,
    access,
    attach: (connection) => transport.attach(connection),
    node,
    clock,
    log: logger,
  });
  const listener = listen(app, clock);
  await listener.open('127.0.0.1', Number(port));
  await engine.start(node, listener.url());
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(exitUnreachable);
});
