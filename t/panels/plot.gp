# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

# Draws the table of t/panels/run.pl: lean virtual hosts, start and memory,
# as percent of all and of stock httpd.
#
#   gnuplot -e "table='docs/panels.md'; picture='docs/images/panels.svg'" \
#       t/panels/plot.gp

if (!exists("table")) table = 'docs/panels.md'
if (!exists("picture")) picture = 'docs/images/panels.svg'

# The last row first, as it is drawn from below: number, title, percents
rows = sprintf("< awk -F' *[|] *' '$3 ~ /^[0-9]+ of/ { split($3, n, \" of \"); " \
    . "print $2 \"|\" 100 * n[1] / n[2] \"|\" 100 * $5 \"|\" 100 * $7 }' %s " \
    . "| tac", table)
count = int(system(sprintf("awk -F' *[|] *' '$3 ~ /^[0-9]+ of/' %s | wc -l", table)))

set terminal svg noenhanced size 960,60 + 21 * count font "sans-serif,12" \
    background "white"
set output picture
set datafile separator '|'
set multiplot
set style fill solid 0.9 noborder
set xrange [0:125]
set yrange [-0.6:count - 0.4]
set format x "%g %%"
set xtics 0,50,100
set grid xtics lc rgb "#dddddd"
unset key
half = 0.36
top = 1 - 34.0 / (60 + 21 * count)
bottom = 26.0 / (60 + 21 * count)
set tmargin at screen top
set bmargin at screen bottom

set lmargin at screen 0.38
set rmargin at screen 0.57
set title "lean"
set ytics scale 0
plot rows using (0):0:(0):2:($0 - half):($0 + half):ytic(1) with boxxyerror lc rgb "#1a4fa0"
set ytics format ""
set arrow 1 from 100, graph 0 to 100, graph 1 nohead lw 2 lc rgb "#b03030"
set lmargin at screen 0.59
set rmargin at screen 0.78
set title "start, of httpd's"
plot rows using (0):0:(0):3:($0 - half):($0 + half) with boxxyerror lc rgb "#1a4fa0"
set lmargin at screen 0.80
set rmargin at screen 0.99
set title "memory, of httpd's"
plot rows using (0):0:(0):4:($0 - half):($0 + half) with boxxyerror lc rgb "#1a4fa0"
unset multiplot
