// What the browser recorded of the document that is shown, once it is quiet. Times are milliseconds since navigation
// began; `since` leaves out what came before it, in a step that loads no document.
({ since, ends }) => {
  const entries = (type) => {
    if (!PerformanceObserver.supportedEntryTypes.includes(type)) return [];
    const observer = new PerformanceObserver(() => {});
    observer.observe({ type, buffered: true });
    const found = observer.takeRecords().filter((entry) => entry.startTime >= since);
    observer.disconnect();
    return found;
  };

  // The largest session window: shifts less than a second apart, in at most five seconds.
  let layoutShift = 0, session = 0, first = 0, last = -Infinity;
  for (const { startTime, value, hadRecentInput } of entries("layout-shift")) {
    if (hadRecentInput) continue;
    if (startTime - last > 1000 || startTime - first > 5000) { session = 0; first = startTime; }
    session += value;
    last = startTime;
    layoutShift = Math.max(layoutShift, session);
  }

  const navigation = performance.getEntriesByType("navigation")[0];
  const contentful = entries("paint").find((entry) => entry.name === "first-contentful-paint");
  const resources = performance.getEntriesByType("resource").filter((entry) => entry.startTime >= since);
  const from = since || contentful?.startTime || 0;
  const blocked = entries("longtask")
    .map((task) => task.startTime + task.duration - Math.max(task.startTime, from) - 50)
    .reduce((sum, beyond) => sum + Math.max(beyond, 0), 0);

  const figures = { layout_shift: layoutShift, total_blocking_time: blocked };
  if (since) {
    figures.load = Math.max(ends ?? since, ...resources.map((entry) => entry.responseEnd)) - since;
  } else {
    figures.first_byte = navigation?.responseStart;
    figures.first_contentful_paint = contentful?.startTime;
    figures.largest_contentful_paint = entries("largest-contentful-paint").at(-1)?.startTime;
    figures.load = navigation?.loadEventEnd || undefined;
  }

  // Until when it kept the page from being rendered; and what ran so long that nothing else could.
  const arrived = resources
    .filter((entry) => entry.renderBlockingStatus === "blocking")
    .map((entry) => [entry.name, entry.responseEnd - entry.startTime, false]);
  const ran = new Map();
  for (const frame of entries("long-animation-frame")) {
    for (const script of frame.scripts) {
      const url = script.sourceURL || script.invoker;
      ran.set(url, (ran.get(url) ?? 0) + script.duration);
    }
  }
  const blocking = [...arrived, ...[...ran].map(([url, ms]) => [url, ms, true])];
  return { figures, blocking: blocking.filter(([, ms]) => ms >= 50).sort((a, b) => b[1] - a[1]).slice(0, 5) };
}
