"""The look of the HTML report."""

STYLE = """
:root{--ink:#1c2530;--soft:#5b6875;--line:#dfe4ea;--paper:#fff;--ground:#f4f6f8;--accent:#3d6fb6;
--critical:#a4133c;--high:#d1495b;--medium:#e09f3e;--low:#6c8ead;--info:#98a6b3;--good:#3a8f5c;--track:#edf0f3}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#9fb0c0;--line:#2e3a46;--paper:#19222b;--ground:#10171e;
--track:#24303b;--accent:#6f9fe0;--critical:#ef476f;--high:#f0768a}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:36px 24px 60px}
header h1{margin:0;font-size:30px;line-height:1.2;overflow-wrap:anywhere}
header p{margin:4px 0 0;color:var(--soft)}
.kicker{text-transform:uppercase;letter-spacing:.09em;font-size:12px;font-weight:600}
h2{margin:38px 0 12px;font-size:20px}
.verdict{margin:22px 0;padding:14px 18px;border-left:5px solid;background:var(--paper);border-radius:6px;font-size:17px}
.verdict.critical{border-color:var(--critical)}.verdict.high{border-color:var(--high)}
.verdict.medium{border-color:var(--medium)}.verdict.good{border-color:var(--good)}
.cards{display:grid;grid-template-columns:repeat(5,1fr);gap:12px}
.card{background:var(--paper);border-radius:8px;padding:14px 16px;border-top:4px solid}
.card b,.facts b{display:block;font-size:26px;line-height:1.2}
.card span,.facts span{color:var(--soft);font-size:13px}
.card.critical{border-color:var(--critical)}.card.high{border-color:var(--high)}.card.medium{border-color:var(--medium)}
.card.low{border-color:var(--low)}.card.info{border-color:var(--info)}
.facts{display:grid;grid-template-columns:repeat(6,1fr);gap:12px;margin:12px 0;padding:14px 16px;
background:var(--paper);border-radius:8px}
.facts b{font-size:20px}
aside{margin:16px 0;padding:12px 18px;border:1px dashed var(--medium);border-radius:8px;background:var(--paper)}
aside ul{margin:4px 0 0;padding-left:20px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(460px,1fr));gap:16px;margin:18px 0}
figure{margin:0;padding:16px 18px;background:var(--paper);border-radius:8px}
figcaption{font-weight:600;margin-bottom:8px}
.none{color:var(--soft);margin:0}
svg{width:100%;height:auto;display:block}
svg text{fill:var(--ink);font-size:14px;font-family:inherit}
svg .label{text-anchor:end;fill:var(--soft)}
svg .track{fill:var(--track)}svg .accent{fill:var(--accent)}svg .plain{fill:var(--info)}svg .good{fill:var(--good)}
svg .critical{fill:var(--critical)}svg .high{fill:var(--high)}svg .medium{fill:var(--medium)}svg .low{fill:var(--low)}
svg .info{fill:var(--info)}
.kind{background:var(--paper);border-radius:8px;margin:10px 0;padding:0 18px;border-left:5px solid}
.kind.critical{border-color:var(--critical)}.kind.high{border-color:var(--high)}.kind.medium{border-color:var(--medium)}
.kind.low{border-color:var(--low)}.kind.info{border-color:var(--info)}
summary{cursor:pointer;padding:13px 0;display:flex;gap:12px;align-items:center}
summary b{flex:1}
.count{font-weight:600;font-variant-numeric:tabular-nums}
.tag{font-size:11px;text-transform:uppercase;letter-spacing:.05em;padding:1px 8px;border-radius:9px;
border:1px solid var(--line);color:var(--soft);white-space:nowrap}
.kind p{margin:0 0 8px}.todo{color:var(--soft)}
table{width:100%;border-collapse:collapse;margin:8px 0 16px;table-layout:fixed;font-size:14px}
th{text-align:left;color:var(--soft);font-weight:600;font-size:12px;padding:6px 10px 6px 0;
border-bottom:1px solid var(--line)}
th:nth-child(1){width:30%}th:nth-child(3){width:34%}
td{overflow:hidden;vertical-align:top;padding:9px 10px 9px 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
td small{display:block;color:var(--soft)}
dl{display:grid;grid-template-columns:auto 1fr;gap:0 10px;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.more{color:var(--soft);padding-bottom:12px}
footer{margin-top:40px;color:var(--soft);font-size:13px;overflow-wrap:anywhere}
@media (max-width:760px){.cards{grid-template-columns:repeat(2,1fr)}.facts{grid-template-columns:repeat(2,1fr)}
.charts{grid-template-columns:1fr}thead{display:none}tr,td{display:block}
tr{border-bottom:1px solid var(--line);padding:6px 0}td{border:0;padding:3px 0}}
@media print{:root{--ink:#1c2530;--soft:#5b6875;--line:#dfe4ea;--paper:#fff;--ground:#fff;--track:#edf0f3}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}body{background:#fff;font-size:12px}main{padding:0}
.cards{grid-template-columns:repeat(5,1fr)}.facts{grid-template-columns:repeat(6,1fr)}
.charts{grid-template-columns:1fr 1fr}.card,.facts,figure,.kind,.verdict{border:1px solid var(--line)}
figure,tr,.card,.verdict{break-inside:avoid}thead{display:table-header-group}tr{display:table-row}td{display:table-cell}
details::details-content{content-visibility:visible;display:block;height:auto}}
"""
