// Visits pages in Firefox and prints, as JSON, what went wrong on each and what its explorers did.
// node firefox.mjs PUPPETEER FIREFOX ADDRESS PAGE ...
import { pathToFileURL } from 'node:url';

const [, , library, executablePath, address, ...paths] = process.argv;
const { default: puppeteer } = await import(pathToFileURL(library));
// Firefox speaks WebDriver BiDi itself: no driver of its own is needed.
const browser = await puppeteer.launch({ browser: 'firefox', executablePath, headless: true });
const visits = {};
for (const path of paths) {
  const page = await browser.newPage();
  const errors = [];
  page.on('console', (said) => said.type() === 'error' && errors.push(said.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('requestfailed', (request) => errors.push('failed: ' + request.url()));
  page.on('response', (got) => got.status() >= 400 && errors.push(got.status() + ' ' + got.url()));
  await page.goto(address + path, { waitUntil: 'load' });
  const answers = [];
  for (const explorer of await page.$$('.rl-explorer')) {
    const frame = () => explorer.$eval('.rl-figure', (figure) => figure.innerHTML);
    const before = await frame();
    const control = await explorer.$('input:not([type=radio]), input:checked, select');
    await control.focus();
    const kind = await control.evaluate((input) => input.type);
    for (const key of kind === 'checkbox' ? ['Space'] : ['ArrowDown', 'ArrowUp', 'ArrowUp']) {
      await page.keyboard.press(key);
      if ((await frame()) !== before) break;
    }
    answers.push((await frame()) !== before);
  }
  visits[path] = { errors, answers };
  await page.close();
}
const version = await browser.version();
await browser.close();
console.log(JSON.stringify({ version, visits }));
