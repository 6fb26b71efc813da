import {
  type Dashboard,
  DashboardBuilder,
  DatasourceVariableBuilder,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import type { DashboardPlan, Panel } from './panel.ts';

const datasource = { type: 'prometheus', uid: '$datasource' };
const height = 8;

/** The JSON model of a dashboard, for Grafana's provisioning or its import page. */
export function toGrafana({ uid, title, description, rows }: DashboardPlan): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['millrace'])
    .refresh('30s')
    .time({ from: 'now-3h', to: 'now' })
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(toPanel(panel));
  }
  return builder.build();
}

function toPanel(panel: Panel): LinesBuilder | StatBuilder {
  const builder = panel.kind === 'stat' ? new StatBuilder() : new LinesBuilder();
  builder
    .title(panel.title)
    .unit(panel.unit)
    .datasource(datasource)
    .height(height)
    .span(panel.width ?? 8);
  for (const [index, { expr, legend }] of panel.queries.entries()) {
    const refId = String.fromCharCode('A'.charCodeAt(0) + index);
    builder.withTarget(new DataqueryBuilder().refId(refId).expr(expr).legendFormat(legend).datasource(datasource));
  }
  return builder;
}
