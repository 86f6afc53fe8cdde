"""How the page looks: a theme of the system's own fonts, so that no font is ever fetched."""

from typing import Any

__all__ = ["CSS", "HEAD", "theme"]

HEAD = '<meta name="color-scheme" content="light dark">'


def theme() -> Any:
    from gradio import themes

    return themes.Soft(
        primary_hue=themes.colors.teal,
        secondary_hue=themes.colors.teal,
        neutral_hue=themes.colors.slate,
        font=[themes.Font("system-ui"), themes.Font("sans-serif")],
        font_mono=[themes.Font("ui-monospace"), themes.Font("monospace")],
    ).set(
        block_title_background_fill="none",
        block_title_text_color="*body_text_color",
        block_title_text_weight="600",
        block_title_padding="0",
        block_label_background_fill="*background_fill_secondary",
        block_label_text_color="*body_text_color",
        block_border_width="1px",
        block_shadow="none",
    )


CSS = """
.gradio-container { max-width: 1240px !important; margin: 0 auto !important; }
.u3-header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 14px; }
.u3-header h1 { font-size: 1.7rem; font-weight: 700; margin: 0; }
.u3-header p { margin: 0; color: var(--body-text-color-subdued); }
.u3-status, .u3-report, .u3-notice {
  border: 1px solid var(--border-color-primary); border-radius: var(--radius-lg);
  background: var(--background-fill-primary); padding: 14px 16px; overflow-wrap: anywhere;
}
.u3-notice { border-color: var(--color-accent); color: var(--body-text-color); }
.u3-empty, .u3-small { color: var(--body-text-color-subdued); }
.u3-small { font-size: var(--text-sm); }
.u3-prompt { font-size: var(--text-lg); font-weight: 600; margin: 6px 0 0; }
.u3-line { margin-top: 8px; }
.u3-note { margin-top: 8px; font-size: var(--text-sm); color: var(--body-text-color-subdued); }
.u3-error { margin-top: 8px; color: var(--error-text-color, #b91c1c); }
.u3-badge {
  display: inline-block; padding: 1px 10px; border-radius: 999px; font-size: var(--text-xs);
  font-weight: 600; color: #fff; background: #475569;
}
.u3-badge.u3-running { background: #0f766e; }
.u3-badge.u3-done { background: #15803d; }
.u3-badge.u3-failed { background: #b91c1c; }
.u3-badge.u3-cancelled, .u3-badge.u3-interrupted { background: #92400e; }
.u3-bar {
  height: 8px; border-radius: 999px; overflow: hidden; margin-top: 10px;
  background: var(--border-color-primary);
}
.u3-bar > div { height: 100%; background: var(--color-accent); transition: width 0.6s; }
.u3-charts {
  display: grid; gap: 10px; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr));
}
.u3-chart {
  margin: 0; padding: 10px 12px; border: 1px solid var(--border-color-primary);
  border-radius: var(--radius-lg); background: var(--background-fill-primary);
}
.u3-chart figcaption { display: flex; justify-content: space-between; gap: 8px; }
.u3-chart svg { display: block; width: 100%; height: 56px; margin: 6px 0; }
.u3-chart polyline {
  fill: none; stroke: var(--color-accent); stroke-width: 2; vector-effect: non-scaling-stroke;
}
.u3-chart small { color: var(--body-text-color-subdued); line-height: 1.3; display: block; }
.u3-report p { margin: 0 0 4px; }
.u3-sure { padding: 12px 14px 4px; font-weight: 600; }
.u3-table { width: 100%; border-collapse: collapse; table-layout: fixed; }
.u3-table th, .u3-table td {
  text-align: left; padding: 5px 8px; overflow-wrap: anywhere; vertical-align: top;
  border: solid var(--border-color-primary) !important; border-width: 0 0 1px !important;
}
.u3-table tbody th { font-weight: 500; color: var(--body-text-color-subdued); }
.u3-same td { color: var(--body-text-color-subdued); }
.gradio-container .html-container { padding: 0 !important; }
.u3-heading { margin: 6px 0 0; font-size: var(--text-md); font-weight: 600; }
#live img { width: 100%; }
#engine:not(:has(.u3-notice)), #charts:not(:has(svg)) { display: none; }
"""
