"""The colour maps as tables, so that a terminal can be coloured without importing matplotlib.

Each table is 256 colours of 3 bytes: the differences from one colour to the next, channel after channel, deflated and
written in base 85. They hold the values of matplotlib's maps of the same names; a test compares them byte for byte.
viridis, magma, inferno and plasma: Smith and van der Walt 2015 (CC0). cividis: Nunez, Anderton and Renslow 2018.
Greys, Blues, RdBu, PuOr, BrBG: ColorBrewer (Brewer and Harrower). coolwarm: Moreland 2009.
"""

from __future__ import annotations

PACKED = {
    "viridis": (
        "c-oCp2@b>{2*moeeM0~L6zPJ41J-1hIY1MsrhG)2)5RpBOj9b8fmBxHRP0rP>tnb;GZ+z<(P4B&bgEYzna$6%)!IQGRh{{dkRR)PLk^|Tmq9^T"
        "LD-3RJi9)8y9m3dhMbyxbY6=bx|f`=Iy(w8x~3t<@?nI15jJYV0o8fA`0o#b6o?4"
    ),
    "cividis": (
        "c-oax2M&NB3~Z|}@jw3mH&jNY3t~KO;fS#cu*P{F6;y$ZeKm@iRKTi(PZzMe`zL6>r&wq@wfDUGbHT6*wEENW!q3g}z`iE=5^do*(`3O8=N{j8"
        "NF3!K;Azfd?Z8w~9aSUH^bB^%UWQ_Gy(Sd1D8kZMxDMa}4RS;r"
    ),
    "magma": (
        "c-n1J2@b#@2!r|mH#6m~BBeAgAP$L$5BQ+3&q=YZ5Y9l8=mCoivZbpzoUA)-)6Jo71fnmQwPa43o&%>;MY+<MdRE1dS%zt_TjmJpnt~0$evrCR"
        "i_Z>(he0lGW%gRh>tIFjE$bn=t6Q{DOe2sA?h>RHbf6BxK3YPa0OM+J);wM<zTErzd;Ql;Ew="
    ),
    "inferno": (
        "c-oCp(H4au2m|r{{~uci#t3}6I7X%}z(hnH>Ihr##j$R0==ArC3OT;OZ-+CNN=)EFLgJ3_X%9TW0TMyIA-^z7xzbfAY6?+Jc)D%Vi|#PzTCHZs"
        "dv&Ak_2FvgxDZf<@zm|x=3ukcLepZ+l8j_r!AT^A<g5L6^B?kaT>#0El-%r$cm|ywYT|-<rTM$AD#J^#aI=l!_S-buFAIiip8"
    ),
    "plasma": (
        "c-nnYTMmRk2t#HQe>}Ix)=h>-+uczfEr^L&j?eHhoNSAvV34AnDMJ$UV8&!sS=TcdrV~VARtUQjX0#XVJtxxkmJuvJ-Rt5H{kQOC`!IH(LM8}`"
        "6On`ZhG>IMISi>TVi$zC+e+Mkk~K0wibenTlD*LDQ)B35^7wML-2S@0%*37v"
    ),
    "Greys": ("c-s5_p8*vzpbPv5As9xb;1~=TaM1st7zYDEp|FsdI0T@A|4;}F0VKVcB-ojw{vWyi2LLfUrXK"),
    "Blues": (
        "c-pN}NeTcU2=xCS?hs@Pm}N2&H8yS-q?x#ZM3EmMG8f1pKyjJXu2F2k0{Hp}xflKsKOs|6dnCdF+<%1N9#Nmt1EpW<s4>Sz_p@DH{QtUY+b&M2"
        "+lLmy"
    ),
    "RdBu": (
        "c-nPRTN1+{2n0MxkJtPESFA}`c^H@1iXr0wUugwMh%n17#m&GRy;GuF5ts5HqG*25gN&|OoL=~Kz*(PFCmrya%_ndH5`tEUcV&6I+?b)&=)afD"
        "W)p^K4rK3sF+E_wMbq?oFHt|wyrO`}^F-k_ecOSEmJVA(5Ky#=L2MVoZY)|G;)#8X6_lA`L3)Ay0dHksrT"
    ),
    "PuOr": (
        "c-nnZQ4)n92n6-x-KoQMa^1{A2<0uZyEbFfVrTjX7P6iAL0W|ZFo^mhm1)rcLv|Nd0BA3E9(C_J;xHpECsAF3ycjvL2(iF9lDJ-=nS^cfx}jDh"
        "v@rh<=9=JcjqZ<>Qj;f&cV*wDkLa!ZwS54iUeO|ii2e&J-v?ttbwlj}n4)=z"
    ),
    "BrBG": (
        "c-noE0S<s52t`HfJ{_j}-z0v3SrefL{tvA!VVzZJnS>Bgc7#HMuOgHLun@{6@DQH5&R4w;I3xRfIr_z`H_b7wb6w37Z7%hlI0_{p8_>jR3}dx-"
        "sLS~TTw@7#iQTq9k&Hzw-a1=gH93_1OENAj7q{!eNw)<2H=*3>D@}X"
    ),
    "coolwarm": (
        "c-noE>k-5t2!w&MQo|K}eHrx>d5O-!vTHK=!8hhXB%DQRX%1a8zjSS*?imWi0ha*8re;ZW3l+CZELQVjS$~j-WIR}&8YoX0??xj$2IFl+xG=*0"
        "f3}y^dFu$UG|WalR$Vhy>zGzv?(#LJaDM@aAkb_uiXpdR)#1FD8(Ql|bzw@!<Gg*8+GCUd1?r=ItAbMO"
    ),
}
