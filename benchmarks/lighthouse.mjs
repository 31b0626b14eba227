// One load by Lighthouse, and what perfcheck reads from that same load, as JSON.
//     node lighthouse.mjs FOLDER CHROMIUM FIGURES URL     FOLDER: where `npm install lighthouse` was run
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, executablePath, figures, url] = process.argv.slice(2);
const { resolve } = createRequire(`${folder}/package.json`);
const load = async (name) => (await import(pathToFileURL(resolve(name)).href)).default;
const [puppeteer, lighthouse] = [await load("puppeteer-core"), await load("lighthouse")];

const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--window-size=1280,720"];
args.push("--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup"); // as in perfcheck/browser/worker.py
const browser = await puppeteer.launch({ executablePath, args, defaultViewport: null });
try {
  const page = await browser.newPage();
  const flags = {
    logLevel: "error",
    onlyCategories: ["performance"],
    throttlingMethod: "provided",
    formFactor: "desktop",
    screenEmulation: { mobile: false, width: 1280, height: 720, deviceScaleFactor: 1 },
    disableFullPageScreenshot: true, // it would change the window before the page is read below
  };
  const { lhr } = await lighthouse(url, flags, undefined, page);
  const read = await page.evaluate(`(${readFileSync(figures, "utf8")})({ since: 0, ends: null })`);
  console.log(JSON.stringify({ lighthouse: lhr.audits.metrics.details.items[0], perfcheck: read.figures }));
} finally {
  await browser.close();
}
