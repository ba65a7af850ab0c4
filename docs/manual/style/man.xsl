<?xml version="1.0" encoding="UTF-8"?>
<!-- Licensed under the Apache License, Version 2.0 (the "License");
     you may not use this file except in compliance with the License.
     You may obtain a copy of the License at

         http://www.apache.org/licenses/LICENSE-2.0

     Unless required by applicable law or agreed to in writing, software
     distributed under the License is distributed on an "AS IS" BASIS,
     WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
     See the License for the specific language governing permissions and
     limitations under the License. -->

<!-- Makes a man page of a page in the format of httpd's manual. Understood is
     what mod_snivhost.xml uses. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text" encoding="UTF-8"/>
<xsl:param name="version"/>
<xsl:variable name="upper">ABCDEFGHIJKLMNOPQRSTUVWXYZ</xsl:variable>
<xsl:variable name="lower">abcdefghijklmnopqrstuvwxyz</xsl:variable>

<xsl:template match="/modulesynopsis">
<xsl:text>.TH </xsl:text>
<xsl:value-of select="translate(name, $lower, $upper)"/>
<xsl:text> 7 "" "mod_snivhost </xsl:text><xsl:value-of select="$version"/>
<xsl:text>" "Apache HTTP Server"&#10;.nh&#10;.ad l&#10;.SH NAME&#10;</xsl:text>
<xsl:value-of select="name"/><xsl:text> \- </xsl:text>
<xsl:value-of select="normalize-space(description)"/>
<xsl:text>&#10;.SH SUMMARY&#10;</xsl:text>
<xsl:apply-templates select="summary/*"/>
<xsl:text>.SH DIRECTIVES&#10;</xsl:text>
<xsl:apply-templates select="directivesynopsis"><xsl:sort select="name"/></xsl:apply-templates>
<xsl:apply-templates select="section"/>
</xsl:template>

<xsl:template match="directivesynopsis">
<xsl:text>.SS </xsl:text><xsl:value-of select="name"/><xsl:text>&#10;</xsl:text>
<xsl:apply-templates select="description/node()"/><xsl:text>.&#10;</xsl:text>
<xsl:text>.TP 10&#10;Syntax&#10;</xsl:text><xsl:apply-templates select="syntax/node()"/><xsl:text>&#10;</xsl:text>
<xsl:if test="default"><xsl:text>.TP&#10;Default&#10;</xsl:text>
<xsl:apply-templates select="default/node()"/><xsl:text>&#10;</xsl:text></xsl:if>
<xsl:text>.TP&#10;Context&#10;</xsl:text>
<xsl:for-each select="contextlist/context">
<xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="."/></xsl:for-each>
<xsl:text>&#10;</xsl:text>
<xsl:apply-templates select="usage/*"/>
</xsl:template>

<xsl:template match="section">
<xsl:text>.SH </xsl:text><xsl:value-of select="translate(title, $lower, $upper)"/><xsl:text>&#10;</xsl:text>
<xsl:apply-templates select="*[not(self::title)]"/>
</xsl:template>
<xsl:template match="section/section">
<xsl:text>.SS </xsl:text><xsl:value-of select="title"/><xsl:text>&#10;</xsl:text>
<xsl:apply-templates select="*[not(self::title)]"/>
</xsl:template>

<!-- blocks -->

<xsl:template match="p"><xsl:text>.PP&#10;</xsl:text><xsl:apply-templates/><xsl:text>&#10;</xsl:text></xsl:template>
<xsl:template match="li/p | dd/p | td/p | note/p"><xsl:text>&#10;</xsl:text><xsl:apply-templates/><xsl:text>&#10;</xsl:text></xsl:template>
<xsl:template match="ul/li"><xsl:text>.IP \(bu 3&#10;</xsl:text><xsl:apply-templates/><xsl:text>&#10;</xsl:text></xsl:template>
<xsl:template match="ol/li"><xsl:text>.IP </xsl:text><xsl:value-of select="position()"/><xsl:text>. 3&#10;</xsl:text><xsl:apply-templates/><xsl:text>&#10;</xsl:text></xsl:template>
<xsl:template match="ul | ol"><xsl:apply-templates select="li"/></xsl:template>
<xsl:template match="dl"><xsl:apply-templates select="dt | dd"/></xsl:template>
<xsl:template match="dt"><xsl:text>.TP&#10;</xsl:text><xsl:apply-templates/><xsl:text>&#10;</xsl:text></xsl:template>
<xsl:template match="dd"><xsl:apply-templates/><xsl:text>&#10;</xsl:text></xsl:template>
<xsl:template match="note"><xsl:text>.PP&#10;</xsl:text><xsl:apply-templates select="*[not(self::title)]"/></xsl:template>

<xsl:template match="highlight | pre">
<xsl:text>.PP&#10;.nf&#10;.RS 4&#10;</xsl:text>
<xsl:call-template name="lines"><xsl:with-param name="text" select="string(.)"/></xsl:call-template>
<xsl:text>.RE&#10;.fi&#10;</xsl:text>
</xsl:template>
<xsl:template match="example">
<xsl:if test="title"><xsl:text>.PP&#10;</xsl:text><xsl:apply-templates select="title/node()"/><xsl:text>&#10;</xsl:text></xsl:if>
<xsl:apply-templates select="pre"/>
</xsl:template>

<!-- a table: the first cell of a row, then the others -->
<xsl:template match="table"><xsl:apply-templates select="tr[td]"/></xsl:template>
<xsl:template match="tr">
<xsl:text>.TP&#10;</xsl:text>
<xsl:apply-templates select="td[1]/node()"/><xsl:text>&#10;</xsl:text>
<xsl:for-each select="td[position() &gt; 1]">
<xsl:if test="position() &gt; 1"><xsl:text>.br&#10;</xsl:text></xsl:if>
<xsl:apply-templates/><xsl:text>&#10;</xsl:text>
</xsl:for-each>
</xsl:template>

<!-- inline -->

<xsl:template match="em | dfn | var"><xsl:text>\fI</xsl:text><xsl:apply-templates/><xsl:text>\fR</xsl:text></xsl:template>
<xsl:template match="code | program | module | strong"><xsl:text>\fB</xsl:text><xsl:apply-templates/><xsl:text>\fR</xsl:text></xsl:template>
<xsl:template match="directive">
<xsl:text>\fB</xsl:text><xsl:if test="@type = 'section'">&lt;</xsl:if>
<xsl:apply-templates/><xsl:if test="@type = 'section'">&gt;</xsl:if><xsl:text>\fR</xsl:text>
</xsl:template>
<xsl:template match="a"><xsl:apply-templates/></xsl:template>
<xsl:template match="rfc"><xsl:text>RFC </xsl:text><xsl:value-of select="."/>
<xsl:if test="@section">, section <xsl:value-of select="@section"/></xsl:if></xsl:template>
<xsl:template match="img"><xsl:value-of select="normalize-space(@alt)"/></xsl:template>
<xsl:template match="br"><xsl:text>&#10;.br&#10;</xsl:text></xsl:template>

<!-- Text in one line, so that no line begins with a dot by chance; a blank
     at either end is kept where it separates from a neighbour. -->
<xsl:template match="text()">
<xsl:variable name="text" select="translate(., '&#10;&#9;', '  ')"/>
<xsl:variable name="plain" select="normalize-space($text)"/>
<xsl:if test="$plain != '' or (preceding-sibling::* and following-sibling::*)">
<xsl:if test="starts-with($text, ' ') and preceding-sibling::node()[not(self::comment())] and $plain != ''"><xsl:text> </xsl:text></xsl:if>
<xsl:if test="not(preceding-sibling::node()) and (starts-with($plain, '.') or starts-with($plain, &quot;'&quot;))"><xsl:text>\&amp;</xsl:text></xsl:if>
<xsl:call-template name="escape"><xsl:with-param name="text" select="$plain"/></xsl:call-template>
<xsl:if test="substring($text, string-length($text)) = ' ' and following-sibling::node()"><xsl:text> </xsl:text></xsl:if>
</xsl:if>
</xsl:template>
<xsl:template match="ul/text() | ol/text() | dl/text() | tr/text() | table/text() | section/text() | usage/text() | summary/text() | example/text() | note/text()"/>
<!-- block in a cell or an item -->
<xsl:template match="li/ul"><xsl:text>&#10;.RS 3&#10;</xsl:text><xsl:apply-templates select="li"/><xsl:text>.RE&#10;</xsl:text></xsl:template>

<xsl:template name="escape">
<xsl:param name="text"/>
<xsl:choose>
<xsl:when test="contains($text, '\')">
<xsl:value-of select="substring-before($text, '\')"/><xsl:text>\e</xsl:text>
<xsl:call-template name="escape"><xsl:with-param name="text" select="substring-after($text, '\')"/></xsl:call-template>
</xsl:when>
<xsl:otherwise><xsl:value-of select="$text"/></xsl:otherwise>
</xsl:choose>
</xsl:template>

<xsl:template name="lines">
<xsl:param name="text"/>
<xsl:param name="begun"/>
<xsl:variable name="line"><xsl:choose>
<xsl:when test="contains($text, '&#10;')"><xsl:value-of select="substring-before($text, '&#10;')"/></xsl:when>
<xsl:otherwise><xsl:value-of select="$text"/></xsl:otherwise></xsl:choose></xsl:variable>
<xsl:variable name="rest" select="substring-after($text, '&#10;')"/>
<xsl:if test="normalize-space($line) != '' or ($begun and normalize-space($rest) != '')">
<xsl:text>\&amp;</xsl:text>
<xsl:call-template name="escape"><xsl:with-param name="text" select="string($line)"/></xsl:call-template>
<xsl:text>&#10;</xsl:text>
</xsl:if>
<xsl:if test="normalize-space($rest) != ''">
<xsl:call-template name="lines"><xsl:with-param name="text" select="$rest"/>
<xsl:with-param name="begun" select="$begun or normalize-space($line) != ''"/></xsl:call-template>
</xsl:if>
</xsl:template>

<xsl:template match="*">
<xsl:message terminate="yes">man.xsl does not know &lt;<xsl:value-of select="name()"/>&gt;</xsl:message>
</xsl:template>
</xsl:stylesheet>
