// Draws the charts of a report from the numbers in its page, in the colours of the reader's scheme.
(() => {
  'use strict';

  // Told apart by most eyes on white and on dark grey; further series get dashes.
  const COLOURS = ['#3b7dd8', '#e08214', '#2a9d6f', '#c2476b', '#8a63c9', '#9a7b1f', '#2aa4b8', '#7f7f7f'];
  const charts = JSON.parse(document.getElementById('charts').textContent);
  const drawn = [];

  const colour = (index) => COLOURS[index % COLOURS.length];
  const dash = (index) => [[], [6, 4], [2, 3]][Math.floor(index / COLOURS.length) % 3];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (value, unit) =>
    `${value.toLocaleString('en', { maximumSignificantDigits: Math.abs(value) < 1000 ? 3 : 6 })} ${unit}`;
  const lines = (label) => label.split(', ');
  const percentile = (fraction) => `p${Number((fraction * 100).toFixed(3))}`;

  // Grid, text and legend in the page's colours.
  function scheme(options) {
    const [text, grid] = [css('--ink'), css('--line')];
    for (const scale of Object.values(options.scales)) {
      scale.ticks = { ...scale.ticks, color: text };
      scale.grid = { ...scale.grid, color: grid };
      scale.title = { ...scale.title, color: text };
    }
    options.plugins.legend.labels = { color: text, boxWidth: 14 };
  }

  const base = (legend) => ({
    animation: false,
    maintainAspectRatio: false,
    responsive: true,
    scales: {},
    plugins: { legend: { display: legend, position: 'bottom' }, tooltip: {} },
  });

  // Labels of a logarithmic axis: 1, 2 and 5 of each decade, and 1 alone where there are many.
  function roundFigure(value) {
    const lead = value / 10 ** Math.floor(Math.log10(value) + 1e-9);
    const wanted = this.max / this.min > 1000 ? [1] : [1, 2, 5];
    return wanted.some((digit) => Math.abs(lead - digit) < 1e-6) ? value.toLocaleString('en') : null;
  }

  // x is 1 / (1 - fraction), so that each further nine takes as much room as the one before.
  function percentiles(chart) {
    const options = base(true);
    options.interaction = { mode: 'nearest', axis: 'x', intersect: false };
    const nines = { 2: 'p50', 10: 'p90', 100: 'p99', 1000: 'p99.9', 10000: 'p99.99', 100000: 'p99.999' };
    options.scales = {
      x: {
        type: 'logarithmic',
        min: 1,
        afterBuildTicks: (axis) => {
          axis.ticks = Object.keys(nines).map(Number).filter((x) => x <= axis.max * 1.01).map((value) => ({ value }));
        },
        ticks: { callback: (value) => nines[value], autoSkip: false, maxRotation: 0 },
      },
      y: {
        type: 'logarithmic',
        ticks: { callback: roundFigure },
        title: { display: true, text: `latency, ${chart.unit}` },
      },
    };
    options.plugins.tooltip.callbacks = {
      title: (items) => (items.length ? percentile(items[0].raw.fraction) : ''),
      label: (item) => `${item.dataset.label}: ${number(item.raw.y, chart.unit)}`,
    };
    const datasets = chart.drawing.curves.map((curve) => ({
      label: curve.name,
      data: curve.points.map(([fraction, y]) => ({ x: 1 / (1 - fraction), y, fraction })),
      borderColor: colour(curve.colour),
      backgroundColor: colour(curve.colour),
      borderDash: dash(curve.colour),
      borderWidth: 2,
      pointRadius: 2,
      pointHitRadius: 12,
    }));
    return { type: 'line', data: { datasets }, options };
  }

  function stacked(chart) {
    const options = base(true);
    options.indexAxis = 'y';
    options.interaction = { mode: 'index', axis: 'y', intersect: false };
    const { parts } = chart.drawing;
    const below = parts[0].values.map((_, bar) => parts.reduce((sum, part) => sum + Math.min(part.values[bar], 0), 0));
    const least = Math.min(0, ...below);
    options.scales = {
      x: {
        stacked: true,
        min: least * 1.1,
        ticks: { includeBounds: false },
        title: { display: true, text: chart.unit },
      },
      y: { stacked: true, ticks: { autoSkip: false } },
    };
    options.plugins.tooltip.filter = (item) => item.raw !== 0;
    options.plugins.tooltip.callbacks = {
      label: (item) => `${item.dataset.label}: ${number(item.raw, chart.unit)}`,
      footer: (items) => `together: ${number(items.reduce((sum, item) => sum + item.raw, 0), chart.unit)}`,
    };
    const datasets = parts.map((part, index) => ({
      label: part.name,
      data: part.values,
      backgroundColor: colour(index),
    }));
    return { type: 'bar', data: { labels: chart.drawing.labels.map(lines), datasets }, options };
  }

  function ranges(chart) {
    const options = base(false);
    options.indexAxis = 'y';
    options.interaction = { mode: 'index', axis: 'y', intersect: false };
    options.scales = { x: { beginAtZero: true, title: { display: true, text: chart.unit } }, y: { ticks: { autoSkip: false } } };
    const { bars } = chart.drawing;
    options.plugins.tooltip.filter = (item) => item.datasetIndex === 0;
    options.plugins.tooltip.callbacks = {
      label: (item) => {
        const { median, min, max } = bars[item.dataIndex].spread;
        return `${number(median, chart.unit)} [${number(min, '')}.. ${number(max, chart.unit)}]`;
      },
    };
    const datasets = [
      {
        label: 'median',
        data: bars.map((bar) => bar.spread.median),
        backgroundColor: bars.map((bar) => colour(bar.colour)),
        grouped: false,
        order: 1,
      },
      {
        label: 'range',
        data: bars.map((bar) => [bar.spread.min, bar.spread.max]),
        backgroundColor: css('--ink'),
        barThickness: 3,
        minBarLength: 2,
        grouped: false,
        order: 0,
      },
    ];
    return { type: 'bar', data: { labels: bars.map((bar) => lines(bar.name)), datasets }, options };
  }

  const kinds = { percentiles, stacked, ranges };

  function recolour() {
    for (const chart of drawn) {
      scheme(chart.options);
      for (const dataset of chart.data.datasets) {
        if (dataset.label === 'range') dataset.backgroundColor = css('--ink');
      }
      chart.update('none');
    }
  }

  for (const canvas of document.querySelectorAll('canvas[data-chart]')) {
    const chart = charts[Number(canvas.dataset.chart)];
    const config = kinds[chart.drawing.kind](chart);
    if (config.type === 'bar') canvas.parentNode.style.height = `${6 + 3.4 * config.data.labels.length}rem`;
    scheme(config.options);
    drawn.push(new Chart(canvas, config));
  }

  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);
  // Paper is white, and its width is not the window's.
  addEventListener('beforeprint', () => {
    document.documentElement.classList.add('paper');
    for (const chart of drawn) {
      const height = chart.canvas.parentNode.clientHeight;
      chart.resize(660, chart.config.type === 'line' ? 270 : height);
    }
    recolour();
  });
  addEventListener('afterprint', () => {
    document.documentElement.classList.remove('paper');
    for (const chart of drawn) chart.resize();
    recolour();
  });
})();
